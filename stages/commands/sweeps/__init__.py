"""What `vision sweep` does: its files, trials, table and figures."""
