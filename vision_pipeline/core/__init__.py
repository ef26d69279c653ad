"""What every room stands on: where things lie, how files are written, how a stage speaks."""
