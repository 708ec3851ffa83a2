"""The question bank and everything that reads it."""

__version__ = "0.1.0"
