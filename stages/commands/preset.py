"""`vision preset`: named sets of values for params.yaml to switch to."""

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from stages.params import problems
from stages.params.fields import did_you_mean
from stages.params.load import PARAMS, parsed
from stages.project.console import Refusal, say
from stages.project.files import write_text

PRESETS = Path("presets")  # NAME.yaml: what it is `about`, and the `params` that it sets


def preset(name: Annotated[str, typer.Argument(help="One of them; without it, they are listed.")] = "") -> None:
    """List the presets, or write the values of one into params.yaml (`git diff` shows what changed)."""
    known = {file.stem: parsed(file, _yaml().load) for file in sorted(PRESETS.glob("*.yaml"))}
    if not known:
        raise Refusal(f"there is no {PRESETS}/; run from the repository's root")
    if not name:
        for each, content in known.items():
            say(f"{each:16} {content['about']}")
        return
    if name not in known:
        raise Refusal(f"there is no preset {name!r}; {did_you_mean(name, list(known))}")
    params = parsed(PARAMS, _yaml().load)
    changed = merge(params, known[name]["params"])
    text = _text(params)
    _refuse_invalid(name, text)
    write_text(PARAMS, text)
    for line in changed or ["nothing: params.yaml says all of it already"]:
        say(line)


def merge(params: Any, values: Any, within: str = "") -> list[str]:
    """Set each of `values` in `params`, section by section; the changes, one line each (`key: old -> new`)."""
    changed = []
    for key, value in values.items():
        path, old = f"{within}{key}", params.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            changed += merge(old, value, f"{path}.")
        elif old != value:
            changed.append(f"{path}: {'new' if key not in params else f'{_short(old)} -> {_short(value)}'}")
            params[key] = value
    return changed


def _short(value: Any) -> str:
    return str(list(value)) if isinstance(value, list) else str(value)


def _yaml() -> Any:
    """Reads and writes with comments and layout kept."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    return yaml


def _text(params: Any) -> str:
    stream = io.StringIO()
    _yaml().dump(params, stream)
    return stream.getvalue()


def _refuse_invalid(name: str, text: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "params.yaml"
        file.write_text(text)
        wrong = problems(file)
    if wrong:
        raise Refusal(f"with preset {name!r}, params.yaml is not valid and stays as it is:\n  " + "\n  ".join(wrong))
