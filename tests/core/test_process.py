"""The start of a process: where it is called, it changes how an error ends the process, and no more than once."""

import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from vision_pipeline.core import process
from vision_pipeline.core.process import setup_process


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The process of the tests as it was."""
    thresholds = gc.get_threshold()
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.delenv("DVC_STAGE", raising=False)
    yield
    gc.set_threshold(*thresholds)


def test_a_package_that_is_missing_is_one_line_and_other_errors_have_a_traceback(
    capsys: pytest.CaptureFixture[str],
) -> None:
    setup_process()
    missing = ModuleNotFoundError(name="torch")
    sys.excepthook(type(missing), missing, None)
    error = ValueError("a defect")
    sys.excepthook(ValueError, error, None)
    line, *others = capsys.readouterr().err.splitlines()
    assert line.startswith("ERROR: ") and "has no package 'torch'" in line
    assert others == ["ValueError: a defect"]


def test_a_process_of_dvc_alone_ends_with_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bool] = []
    monkeypatch.setattr("vision_pipeline.core.signals.set_parent_death_signal", lambda: calls.append(True))
    setup_process()
    assert calls == []
    monkeypatch.setenv("DVC_STAGE", "train@mnist-mlp")
    setup_process()
    assert calls == [True]


def test_the_start_of_the_process_is_before_its_work() -> None:
    code = "import stages, time; from vision_pipeline.core.process import PROCESS_START as start; "
    code += "print(0 <= time.monotonic() - start < 60)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True\n"
    assert process.PROCESS_START > 0


def test_a_notebook_that_imports_the_library_changes_nothing() -> None:
    code = "import sys, gc; before = sys.excepthook, gc.get_threshold(); import vision_pipeline.core.files; "
    code += "print((sys.excepthook, gc.get_threshold()) == before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True\n"
