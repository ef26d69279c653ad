"""The pipeline: one script for each stage of `dvc.yaml`, run from the repository's root."""

import importlib.util
import sys
from pathlib import Path

if sys.version_info < (3, 11):  # noqa: UP036  the python on PATH may be any
    sys.exit(f"ERROR: {sys.executable} is older than Python 3.11; activate the environment: . .venv/bin/activate")


def _refuse_missing_library() -> None:
    """Exit where the library is missing beside this folder, also if another checkout's could be imported.

    `raise_if_other_checkout` would come too late: a library of another version may lack what the stage imports.
    """
    root = Path(__file__).absolute().parent.parent
    if (root / "vision_pipeline" / "__init__.py").is_file():
        return
    spec = importlib.util.find_spec("vision_pipeline")
    if spec is None or spec.origin is None:
        sys.exit("ERROR: the folder vision_pipeline/ is missing beside stages/; git checkout -- vision_pipeline")
    import shlex

    sys.exit(
        f"ERROR: {root} is a checkout, but the code of {Path(spec.origin).resolve().parent.parent} runs, whose results "
        f"may differ; its library is missing: git -C {shlex.quote(str(root))} checkout -- vision_pipeline"
    )


_refuse_missing_library()

from vision_pipeline.core.process import setup_process  # noqa: E402  the check comes first

setup_process()
