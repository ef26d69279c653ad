"""The pipeline: one script for each stage of `dvc.yaml`, run from the repository's root."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  the python on PATH may be any
    sys.exit(f"ERROR: {sys.executable} is older than Python 3.11; activate the environment: . .venv/bin/activate")

try:
    from vision_pipeline.core.process import setup_process
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("vision_pipeline"):
        raise
    sys.exit("ERROR: the folder vision_pipeline/ is missing beside stages/; git checkout -- vision_pipeline")

setup_process()
