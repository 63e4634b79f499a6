"""The project's site: documents, API reference, notebooks, a run's report and a leaderboard."""
