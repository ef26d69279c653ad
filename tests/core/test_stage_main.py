"""How a stage script ends."""

import pytest
import torch

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.stage_main import run_with_exit_code
from vision_pipeline.runtime.device import set_determinism


def raising(error: BaseException):
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (UserError("x.npy is missing"), 1, "ERROR: x.npy is missing\n"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C\n"),
    ],
)
def test_an_expected_end_is_one_line(error, status, line, capsys):
    with pytest.raises(SystemExit) as ended:
        run_with_exit_code(raising(error))
    assert (ended.value.code, capsys.readouterr().err) == (status, line)


def test_success_and_a_defect_are_told_apart():
    with pytest.raises(SystemExit) as ended:
        run_with_exit_code(lambda: None)
    assert ended.value.code == 0
    for defect in (ZeroDivisionError, RuntimeError):
        with pytest.raises(defect):
            run_with_exit_code(raising(defect()))


def test_an_operation_without_a_repeatable_way_names_the_param_that_allows_it(capsys):
    def work() -> None:
        set_determinism(deterministic=True)
        torch.zeros(4).put_(torch.tensor([0, 1]), torch.ones(2))

    with pytest.raises(SystemExit) as ended:
        run_with_exit_code(work)
    assert (ended.value.code, capsys.readouterr().err) == (
        1,
        "ERROR: put_ does not have a deterministic implementation here; "
        "`deterministic: false` in params.yaml allows it, with other bits each time\n",
    )
