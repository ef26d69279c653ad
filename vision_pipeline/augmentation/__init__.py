"""Augmentation of whole batches of images: parameters are drawn on the CPU and applied on any device."""
