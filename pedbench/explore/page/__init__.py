"""Page of the explorer: its parts, drawings and style."""
