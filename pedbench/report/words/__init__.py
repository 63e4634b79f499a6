"""Sentences and tables of the report."""
