"""Mathematics of attacks that need no training: what a payload determines of the picture behind it."""
