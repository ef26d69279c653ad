"""What `vision doctor` checks, a file for each part of machine and environment."""
