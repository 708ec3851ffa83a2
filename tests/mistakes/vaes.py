"""Wrong versions of the VAE snippets that a replaced word cannot make."""


def always_one(parameter: float) -> float:
    """Binary cross-entropy taken for a normalised likelihood: no constant is missing."""
    return 1.0
