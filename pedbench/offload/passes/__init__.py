"""One pass of a defense over a picture, seen from the edge."""
