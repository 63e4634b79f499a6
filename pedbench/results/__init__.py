"""Run directories: plans, records, values, and statistics that follow from them."""
