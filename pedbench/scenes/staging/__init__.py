"""Staging: placement of objects, light and shadows."""
