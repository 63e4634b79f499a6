"""The confined processes in which attacks run."""
