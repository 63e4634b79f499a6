"""Servers that answer wrongly, and the checks that detect them."""
