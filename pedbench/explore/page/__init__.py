"""What the explorer shows: its page, drawings and style."""
