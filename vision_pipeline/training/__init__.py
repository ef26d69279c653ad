"""The training loop and its parts: batches, optimizers, schedules, the loss, the history."""
