"""Links between edge and servers, addresses and certificates."""
