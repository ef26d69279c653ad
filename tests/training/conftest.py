"""What tests of trainings that end early share."""

import pytest

from vision_pipeline.training import checkpointing as resume


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A state after every step, whatever it costs."""
    monkeypatch.setattr(resume, "_SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(resume, "_MAX_SAVE_SHARE", float("inf"))
