"""Segment Anything networks, their re-ordering, and their split between edge and servers."""
