"""Where things stand, and in what light."""
