"""Utility: prompts for the objects of a picture, and the quality of the masks that they get."""
