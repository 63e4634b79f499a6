"""Readers of datasets: COCO folders, their index and masks, and readable pictures."""
