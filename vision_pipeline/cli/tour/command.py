"""`vision tour`: the ideas behind the pipeline, step by step, each as a few lines of code that are run."""

import ast
import inspect
from collections.abc import Callable
from importlib import import_module
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Annotated

import typer

from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.core.errors import UserError

if TYPE_CHECKING:
    from vision_pipeline.cli.tour.tour_data import TourData

    Step = Callable[[TourData], None]

_CHAPTERS = (
    "images", "learning", "checkpointing", "building", "operations", "convolutions", "augmenting", "layers",
    "derivatives", "sequences",
)  # fmt: skip


def tour(
    step: Annotated[str, typer.Argument(help="A step's number or name; without it, all of them.")] = "",
    list_steps: Annotated[bool, typer.Option("--list", help="List the steps.")] = False,
) -> None:
    """Walk through tensors, training, checkpoints, convolutions and more, step by step; it takes seconds."""
    all_steps = load_steps()
    if list_steps:
        for number, (name, step_function) in enumerate(all_steps.items(), 1):
            typer.echo(f"{number:3}  {name:26}{_get_doc_lines(step_function)[0]}")
        return
    selected = {_resolve_step_name(step, list(all_steps)): None} if step else dict.fromkeys(all_steps)
    from vision_pipeline.cli.tour.tour_data import TourData

    data = TourData()
    typer.echo(f"The images are {data.source}.")
    for number, (name, step_function) in enumerate(all_steps.items(), 1):
        if name in selected:
            show_step(number, name, step_function, data)


def load_steps() -> "dict[str, Step]":
    """Return the steps by name, in order: the public functions of the chapters' modules."""
    modules = [import_module(f"vision_pipeline.cli.tour.{chapter}") for chapter in _CHAPTERS]
    return {
        name.replace("_", "-"): function
        for module in modules
        for name, function in vars(module).items()
        if inspect.isfunction(function) and function.__module__ == module.__name__ and not name.startswith("_")
    }


def show_step(number: int, name: str, step: "Step", data: "TourData") -> None:
    """Print a step's docstring and code, then run it; its random numbers do not depend on earlier steps."""
    import torch

    typer.echo(f"\n{number}. {name} ({import_module(step.__module__).__doc__})\n")
    typer.echo(indent("\n".join(_get_doc_lines(step)), "   ") + "\n")
    typer.echo(indent(get_step_code(step), "   | ") + "\n")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        step(data)


def get_step_code(step: "Step") -> str:
    """Return the lines of a step after its docstring."""
    source = dedent(inspect.getsource(step))
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    return dedent("\n".join(source.splitlines()[function.body[1].lineno - 1 :]))


def _get_doc_lines(step: "Step") -> list[str]:
    return (inspect.getdoc(step) or "").splitlines()


def _resolve_step_name(requested: str, names: list[str]) -> str:
    if requested.isdecimal() and 0 < int(requested) <= len(names):
        return names[int(requested) - 1]
    if requested in names:
        return requested
    hint = did_you_mean(requested, names)
    raise UserError(f"there is no step {requested!r}; {hint} (`vision tour --list` lists them)")
