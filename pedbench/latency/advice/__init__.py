"""Recommendations of a defense's parameters from synthesised traffic."""
