"""Whether a run still gives the numbers that were accepted: baselines, tolerances and comparisons."""
