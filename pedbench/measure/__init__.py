"""The unit of work: one defense over some pictures, on all three axes. Gives values, never records."""
