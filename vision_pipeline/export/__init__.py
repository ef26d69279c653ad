"""A trained model as files that other programs read, and the proof that they all say what it says."""
