"""`vision doctor`: checks of environment, hardware, data and of what killed processes have left."""
