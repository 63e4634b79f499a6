"""The objects of scenes."""
