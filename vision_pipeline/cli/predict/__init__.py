"""`vision predict`: predictions of a trained model for images, and texts continued by one."""
