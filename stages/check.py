"""Validate params.yaml, and say when data could be had better than it is at hand. It is silent when all is well.

A stage that runs at every `dvc repro`: DVC cannot see that the world outside has changed. It writes the same file
whatever it says, so nothing is run again because of it.
"""

from stages.params import load
from stages.params.path_checks import absent
from stages.project.console import warn
from stages.project.door import run_or_refuse
from stages.project.files import write_text
from stages.project.paths import DATA, RAW, WEIGHTS
from stages.sources.notices import data_notices, weight_notices


def main() -> None:
    """Print what is wrong with params.yaml, or one line for each thing that could be had better."""
    datasets, backbones = load("datasets", "backbones")
    for line in absent(datasets, {}):  # not refused: of `dvc repro --allow-missing` it is no fault
        warn(line)
    for notice in (*data_notices(datasets, RAW, network=False), *weight_notices(backbones, WEIGHTS, network=False)):
        warn(str(notice))
    write_text(DATA / "checked", "params.yaml is valid\n")


if __name__ == "__main__":
    run_or_refuse(main)
