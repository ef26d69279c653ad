"""What a model is worth: metrics, tables, figures, the leaderboard, the report."""
