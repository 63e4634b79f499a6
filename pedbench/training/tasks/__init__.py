"""Training tasks, one per kind of network: data, loss and scores."""
