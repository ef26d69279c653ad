"""The environment's packages beside a requirements.lock."""

from importlib.metadata import version

from vision_pipeline.core.system import find_version_mismatches


def test_only_what_differs_or_is_missing_is_told() -> None:
    pinned = (f"numpy=={version('numpy')}+cpu", "typer==0.0.1", "no-such-package==1.0", "gone==1 ; sys_platform == 'x'")
    lock = "\n".join(["# a comment", *pinned])
    assert find_version_mismatches(lock) == {"typer": ("0.0.1", version("typer")), "no-such-package": ("1.0", None)}
