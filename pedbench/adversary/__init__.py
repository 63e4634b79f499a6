"""Views and priors of coalitions, and the confined processes in which attacks run."""
