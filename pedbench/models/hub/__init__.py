"""Networks in the folders of public hubs."""
