"""An attack, a defense and a dataset for pedbench, to copy from."""
