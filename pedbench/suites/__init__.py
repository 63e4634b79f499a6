"""Suites: their schema, resolution, plans and cells."""
