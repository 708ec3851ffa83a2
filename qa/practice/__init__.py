"""Practice: what is remembered, what to ask next, and the log that all of it is derived from."""
