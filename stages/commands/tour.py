"""`vision tour`: the ideas behind the pipeline, step by step, each as a few lines of code that are run for real."""

import ast
import inspect
from collections.abc import Callable
from importlib import import_module
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Annotated

import typer

from stages.params.fields import did_you_mean
from stages.project.console import Refusal, say

if TYPE_CHECKING:
    from stages.commands.tour_steps.material import Material

    Step = Callable[[Material], None]

_CHAPTERS = (
    "images", "learning", "keeping", "building", "operations", "convolutions", "augmenting", "layers", "derivatives",
    "sequences",
)  # fmt: skip


def tour(
    step: Annotated[str, typer.Argument(help="A step's number or name; without it, all of them.")] = "",
    listed: Annotated[bool, typer.Option("--list", help="List the steps.")] = False,
) -> None:
    """Walk through tensors, training, checkpoints, convolutions and more, step by step; it takes seconds."""
    found = steps()
    if listed:
        say("\n".join(f"{number:3}  {name:26}{_words(one)[0]}" for number, (name, one) in enumerate(found.items(), 1)))
        return
    chosen = {_named(step, list(found)): None} if step else dict.fromkeys(found)
    from stages.commands.tour_steps.material import Material

    given = Material()
    say(f"The images are {given.source}.")
    for number, (name, one) in enumerate(found.items(), 1):
        if name in chosen:
            show(number, name, one, given)


def steps() -> "dict[str, Step]":
    """The steps by name, in order: the public functions of the chapters' files."""
    modules = [import_module(f"stages.commands.tour_steps.{chapter}") for chapter in _CHAPTERS]
    return {
        name.replace("_", "-"): found
        for module in modules
        for name, found in vars(module).items()
        if inspect.isfunction(found) and found.__module__ == module.__name__ and not name.startswith("_")
    }


def show(number: int, name: str, step: "Step", given: "Material") -> None:
    """What a step says, its code and what it prints; it draws as if it came first."""
    import torch

    say(f"\n{number}. {name} ({import_module(step.__module__).__doc__})\n")
    say(indent("\n".join(_words(step)), "   ") + "\n")
    say(indent(code_of(step), "   | ") + "\n")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        step(given)


def code_of(step: "Step") -> str:
    """The lines of a step after its docstring."""
    source = dedent(inspect.getsource(step))
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef)
    return dedent("\n".join(source.splitlines()[function.body[1].lineno - 1 :]))


def _words(step: "Step") -> list[str]:
    return (inspect.getdoc(step) or "").splitlines()


def _named(asked: str, names: list[str]) -> str:
    if asked.isdecimal() and 0 < int(asked) <= len(names):
        return names[int(asked) - 1]
    if asked in names:
        return asked
    raise Refusal(f"there is no step {asked!r}; {did_you_mean(asked, names)} (`vision tour --list` lists them)")
