"""The subcommands of `vision`, a module or a package each."""
