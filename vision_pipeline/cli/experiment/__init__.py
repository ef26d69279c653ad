"""`vision experiment`: comparisons of models, described by the files of experiments/."""
