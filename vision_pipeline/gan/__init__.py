"""A small class-conditional GAN: its networks, its training, its images and their grade."""
