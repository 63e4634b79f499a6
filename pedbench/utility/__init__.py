"""Utility: prompts for the objects of a picture, and how good the masks are that they get."""
