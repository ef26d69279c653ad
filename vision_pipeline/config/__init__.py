"""The typed schema of `params.yaml`, and the one way for a stage to read its values."""
