"""Export of trained models: files that other programs read, their parity with the model, the model card."""
