"""The DVC pipeline for the subcommands of `vision`: DVC's processes, the schedule of stages, experiments."""
