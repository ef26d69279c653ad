"""How a stage script ends."""

import pytest

from stages.project.console import Refusal
from stages.project.door import run_or_refuse


def raising(error: BaseException):
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (Refusal("x.npy is missing"), 1, "ERROR: x.npy is missing\n"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C\n"),
    ],
)
def test_an_expected_end_is_one_line(error, status, said, capsys):
    with pytest.raises(SystemExit) as ended:
        run_or_refuse(raising(error))
    assert (ended.value.code, capsys.readouterr().err) == (status, said)


def test_success_and_a_defect_are_told_apart():
    with pytest.raises(SystemExit) as ended:
        run_or_refuse(lambda: None)
    assert ended.value.code == 0
    with pytest.raises(ZeroDivisionError):
        run_or_refuse(raising(ZeroDivisionError()))
