"""An image-classification pipeline: one script here for each stage of `dvc.yaml`."""

import gc

# Importing torch and MLflow makes a million objects, all of which stay: by default the collector would look
# through them time and again, a quarter of the time in which a stage starts.
gc.set_threshold(200_000, 50, 50)
