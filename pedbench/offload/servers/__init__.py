"""Server processes, on this host and on others, and their wiretap."""
