"""Frames of numbers from a run's values."""
