"""Stand-ins for the public data sets: small images that the project draws or takes from scikit-learn."""
