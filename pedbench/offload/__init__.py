"""The untrusted cloud: server processes, what goes over the wire to them, and the edge that calls them."""
