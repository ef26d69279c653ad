"""A small class-conditional GAN: its networks, its training, the images that it makes and how they are graded."""
