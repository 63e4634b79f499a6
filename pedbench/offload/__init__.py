"""The untrusted cloud: server processes, the messages to and from them, and the edge that calls them."""
