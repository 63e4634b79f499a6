"""Where the jobs of a run are done: in this process, or by workers of a Ray cluster. The values are the same."""
