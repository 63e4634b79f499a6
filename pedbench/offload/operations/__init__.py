"""What servers can compute, and how their payloads are seen as pixels."""
