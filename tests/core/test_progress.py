"""Progress bars count the units of work and disappear when it is done."""

import pytest

from vision_pipeline.core import progress
from vision_pipeline.core.progress import progress_bar, track


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """A terminal on which every bar is drawn at once."""
    monkeypatch.setattr(progress, "_REDRAW_SECONDS", 0.0)
    monkeypatch.setattr(progress, "_DELAY_SECONDS", 0.0)
    return capsys


def test_a_bar_has_its_description_and_counts(terminal: pytest.CaptureFixture[str]) -> None:
    with progress_bar(4, "decode", "file") as pbar:
        pbar.update(3)
    printed = terminal.readouterr().err
    assert "decode:  75%" in printed and "3/4" in printed


def test_large_numbers_are_shortened_on_request(terminal: pytest.CaptureFixture[str]) -> None:
    with progress_bar(2_000_000, "copying", "B", unit_scale=True) as pbar:
        pbar.update(1_000_000)
    assert "1.00M/2.00M" in terminal.readouterr().err


def test_a_bar_that_is_disabled_prints_nothing(terminal: pytest.CaptureFixture[str]) -> None:
    with progress_bar(4, "step", disable=True) as pbar:
        pbar.update(4)
    assert terminal.readouterr().err == ""


def test_work_that_takes_a_moment_has_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(5), "short", total=5)) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().err == ""


def test_track_counts_its_items(terminal: pytest.CaptureFixture[str]) -> None:
    assert list(track("abc", "letters", total=3, unit="letter")) == ["a", "b", "c"]
    assert "letters: 100%" in terminal.readouterr().err
