"""Messages as bytes, their schemas and their size limits."""
