"""The folders in which DVC keeps results, which must be in the repository itself."""

from pathlib import Path

from stages.project import paths
from stages.project.console import Refusal

_ROOTS = (paths.DATA, paths.REPORTS)
_OF_ONE_STAGE = (
    paths.RAW, paths.PREPARED, paths.AUGMENTED, paths.SYNTHETIC, paths.WEIGHTS, paths.FEATURES,
    paths.MODELS, paths.EXPORTS, paths.MODEL_REPORTS,
)  # fmt: skip


def refuse_linked_outs() -> None:
    """Raise a refusal when a folder of results is a link to another disk: DVC refuses it once the stage has run.

    A link that stays in the repository is no problem, nor are the links to its cache that DVC makes of files.

    Raises:
        Refusal: the message names the link, its target and what works.
    """
    root = Path.cwd().resolve()
    linked = [folder for folder in (*_ROOTS, *_OF_ONE_STAGE) if folder.is_symlink()]
    below = [path for folder in _OF_ONE_STAGE for path in folder.glob("*") if path.is_symlink() and path.is_dir()]
    for path in (*linked, *below):
        if root not in (target := path.resolve()).parents:
            raise Refusal(
                f"{path} is a link to {target}, and DVC keeps no results behind a link out of the repository; put a "
                "folder there, and DVC's cache on the other disk: "
                f"dvc cache dir --local {target.parent / 'dvc-cache'} && dvc config --local cache.type symlink"
            )
