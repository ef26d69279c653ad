"""`vision activations`: three ways to a derivative agree, and have known values."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from vision_pipeline.cli import main as console
from vision_pipeline.cli.activations import DERIVATIVE_FORMULAS, compute_derivatives
from vision_pipeline.config.fields import Activation


def slopes_at(name: str, *z: float) -> list[float]:
    """Return the derivative by autograd, after comparing it with the formula's."""
    derivatives = compute_derivatives(name, torch.tensor([*z, 1.0], dtype=torch.float64))
    assert torch.allclose(derivatives.formula, derivatives.autograd, rtol=1e-9, atol=1e-15)
    return derivatives.autograd.tolist()[:-1]


def test_they_are_those_that_params_may_name() -> None:
    assert set(DERIVATIVE_FORMULAS) == set(get_args(get_args(Activation)[0]))


@pytest.mark.parametrize("name", DERIVATIVE_FORMULAS)
def test_formula_autograd_and_finite_differences_agree(name: str) -> None:
    assert compute_derivatives(name, torch.linspace(-10, 10, 4001, dtype=torch.float64)).gap < 1e-6


def test_the_sigmoid_is_steepest_at_0_and_flat_at_10() -> None:
    assert torch.sigmoid(torch.zeros(1, dtype=torch.float64)).item() == 0.5
    assert slopes_at("sigmoid", 0.0) == [0.25]
    assert slopes_at("sigmoid", -10.0, 10.0) == pytest.approx([4.5396e-05] * 2, rel=1e-4)


def test_tanh_is_a_sigmoid_stretched() -> None:
    assert slopes_at("tanh", 0.0) == [1.0]
    assert slopes_at("tanh", -10.0, 10.0) == pytest.approx([8.2446e-09] * 2, rel=1e-4)


@given(st.floats(-8, 8))
def test_slope_of_tanh_is_four_times_that_of_the_sigmoid_at_twice_the_place(z: float) -> None:
    assert slopes_at("tanh", z) == pytest.approx([4 * slopes_at("sigmoid", 2 * z)[0]], rel=1e-6)


def test_relu_and_leaky_relu_and_their_kink() -> None:
    assert slopes_at("relu", -3.0, 0.0, 3.0) == [0.0, 0.0, 1.0]
    assert slopes_at("leaky_relu", -3.0, 3.0) == [0.01, 1.0]


def test_smooth_relus_pass_half_at_0() -> None:
    assert slopes_at("gelu", 0.0) == slopes_at("silu", 0.0) == [0.5]
    assert slopes_at("gelu", 1.0) == pytest.approx([0.8413447 + math.exp(-0.5) / math.sqrt(2 * math.pi)])


def test_the_command_draws_and_prints_all_six(tmp_path: Path) -> None:
    result = CliRunner().invoke(console.app, ["activations", "--output", str(tmp_path / "a.png")])
    assert result.exit_code == 0
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert rows["sigmoid"][:5] == ["4.5396e-05", "0.19661", "0.25", "0.19661", "4.5396e-05"]
    assert all(float(rows[name][-1]) < 1e-6 for name in DERIVATIVE_FORMULAS)
    assert Image.open(tmp_path / "a.png").size[0] > 900


def test_a_name_that_cannot_be_a_files_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a-folder").mkdir()
    command = [sys.executable, "-m", "vision_pipeline.cli.main", "activations", "--output", "a-folder"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR: ") and done.stderr.endswith("; name another file\n")
    assert done.stderr.count("\n") == 1
