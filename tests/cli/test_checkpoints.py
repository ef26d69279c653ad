"""The checkpoint that a person names."""

from pathlib import Path

import pytest
from tiny_model import brightness_checkpoint

from vision_pipeline.cli.checkpoints import resolve_checkpoint
from vision_pipeline.models.checkpoint import save_checkpoint


def test_names_and_paths_of_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_checkpoint(Path("exports/small/checkpoint.pth"), brightness_checkpoint())
    assert resolve_checkpoint("small") == Path("exports/small/checkpoint.pth")
    assert resolve_checkpoint("exports/small/checkpoint.pth") == Path("exports/small/checkpoint.pth")
