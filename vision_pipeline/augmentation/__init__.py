"""Augmentation of whole batches of images: what a policy does, drawn on the CPU, done on any device."""
