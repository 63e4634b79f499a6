"""The report's tables, built from frames."""
