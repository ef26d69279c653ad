"""What a person types beside `dvc`: the subcommands of `vision`, one file each."""
