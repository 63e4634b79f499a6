"""Services on other machines that fill in pictures for attacks; this process asks them, from views alone."""
