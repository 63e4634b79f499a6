"""Weights and datasets from elsewhere: what there is, and how it comes here whole."""
