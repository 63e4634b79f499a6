"""One task a kind of network: its data, loss and scores."""
