"""Similarity of a guess to the truth over regions of the frame, one metric a file."""
