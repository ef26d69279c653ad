"""What `vision plan` tells: which stages would run and why, and how long they take."""
