"""Speed and memory of the encoder, the harness and whole runs."""
