"""An image-classification pipeline: one script here for each stage of `dvc.yaml`."""
