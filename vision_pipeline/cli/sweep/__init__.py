"""`vision sweep`: searches for a model's best values, described by the files of sweeps/."""
