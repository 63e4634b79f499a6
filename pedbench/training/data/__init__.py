"""Batches of pictures and prompts to train on."""
