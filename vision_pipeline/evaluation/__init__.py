"""Evaluation of models: metrics, tables, plots, the leaderboard, tests of significance, the HTML report."""
