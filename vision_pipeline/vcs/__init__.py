"""Git, dvc.lock, DVC's experiments and line ends. No stage depends on this package, because it changes no result."""
