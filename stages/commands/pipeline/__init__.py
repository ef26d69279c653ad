"""DVC's pipeline as the commands run it: DVC itself, experiments beside the workspace, which stages come next."""
