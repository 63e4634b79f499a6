"""This machine and process: devices, determinism, processes, provenance, the console and stopwatches."""
