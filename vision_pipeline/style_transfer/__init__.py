"""Style transfer: the look of one picture on the content of another."""
