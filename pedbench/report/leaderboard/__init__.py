"""Submitted runs side by side, as a static site."""
