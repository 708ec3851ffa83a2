"""Runnable answers: one idea a file, plain PyTorch and SymPy."""
