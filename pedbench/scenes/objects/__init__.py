"""The things that stand in scenes."""
