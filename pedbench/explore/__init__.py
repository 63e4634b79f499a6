"""The explorer: a page in the browser that shows one picture under one defense on all three axes."""
