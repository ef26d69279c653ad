"""What `vision predict` does: the images and texts that it is asked about, its answers and their picture."""
