"""Training of a model: the task, batches, losses, optimizers, the loop, its saved state, several processes."""
