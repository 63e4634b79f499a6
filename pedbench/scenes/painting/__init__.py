"""Brushes, textures and lettering."""
