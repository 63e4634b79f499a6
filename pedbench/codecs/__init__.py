"""How arrays are written as bytes, one codec a file."""
