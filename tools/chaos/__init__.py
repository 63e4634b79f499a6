"""Faults, kills and load: what becomes of passes and runs in trouble."""
