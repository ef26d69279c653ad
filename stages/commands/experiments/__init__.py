"""What `vision experiment` does: its files, variants, runs, table and figure."""
