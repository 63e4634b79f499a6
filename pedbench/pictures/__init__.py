"""Pixels, frames, windows and regions, and files of pictures."""
