"""Scores of guesses and views: audits, exposure, retrieval and claims."""
