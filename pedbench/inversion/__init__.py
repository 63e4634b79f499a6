"""Mathematics of attacks: reconstruction of a picture from what payloads determine of it."""
