"""Batches of pictures and prompts for training."""
