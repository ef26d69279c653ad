"""The base of every package: paths, atomic files, logging, locks, signals, fingerprints. It imports nothing else."""
