"""Segment Anything: architectures, checkpoints, blocks and their order."""
