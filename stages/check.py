"""Validate params.yaml, and say when data could be had better than it is at hand. It is silent when all is well.

A stage that runs at every `dvc repro`: DVC cannot see that the world outside has changed. It writes the same file
whatever it says, so nothing is run again because of it.
"""

from vision_pipeline.config.data_validation import check_paths_exist
from vision_pipeline.config.load import load_params
from vision_pipeline.core.files import write_text
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import DATA, RAW, WEIGHTS
from vision_pipeline.core.stage_main import run_with_exit_code
from vision_pipeline.sources.availability import iter_data_status, iter_weight_status


def main() -> None:
    """Print what is wrong with params.yaml, or one line for each thing that could be had better."""
    datasets, backbones = load_params("datasets", "backbones")
    for line in check_paths_exist(datasets, {}):  # not refused: of `dvc repro --allow-missing` it is no fault
        logger.warning(line)
    for notice in (
        *iter_data_status(datasets, RAW, probe_network=False),
        *iter_weight_status(backbones, WEIGHTS, probe_network=False),
    ):
        logger.warning(str(notice))
    write_text(DATA / "checked", "params.yaml is valid\n")


if __name__ == "__main__":
    run_with_exit_code(main)
