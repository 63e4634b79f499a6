"""Measurements behind defaults, documents and parity."""
