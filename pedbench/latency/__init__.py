"""Latency on devices that are not here: what stages compute, and how long that takes over a named link."""
