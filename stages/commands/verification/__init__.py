"""What `vision verify` does: a clean clone, its record before and after, the verdict."""
