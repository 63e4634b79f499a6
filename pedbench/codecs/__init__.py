"""Codecs: how arrays are written as bytes, one codec a file."""
