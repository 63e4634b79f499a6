"""Probes that read text, faces or objects from pictures, one a file."""
