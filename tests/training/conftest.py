"""A fixture for tests of interrupted trainings."""

import pytest

from vision_pipeline.training import checkpointing


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Save the state after every step, whatever it costs."""
    monkeypatch.setattr(checkpointing, "_SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(checkpointing, "_MAX_SAVE_SHARE", float("inf"))
