"""`vision preset`: named sets of values for params.yaml to switch to."""

import io
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from vision_pipeline.cli.param_overrides import deep_merge
from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.config.load import PARAMS, list_validation_errors, parse_file
from vision_pipeline.core.errors import ConfigError
from vision_pipeline.core.files import write_text

PRESETS = Path("presets")  # NAME.yaml: `about`, its description, and `params`, the values that it sets


def preset(name: Annotated[str, typer.Argument(help="One of them; without it, they are listed.")] = "") -> None:
    """List the presets, or write the values of one into params.yaml (`git diff` shows what changed)."""
    presets = {file.stem: parse_file(file, _make_yaml().load) for file in sorted(PRESETS.glob("*.yaml"))}
    if not presets:
        raise ConfigError(f"there is no {PRESETS}/; run from the repository's root")
    if not name:
        for preset_name, content in presets.items():
            typer.echo(f"{preset_name:16} {content['about']}")
        return
    if name not in presets:
        raise ConfigError(f"there is no preset {name!r}; {did_you_mean(name, list(presets))}")
    params = parse_file(PARAMS, _make_yaml().load)
    changes = deep_merge(params, presets[name]["params"])
    text = _dump_yaml(params)
    _check_valid(name, text)
    write_text(PARAMS, text)
    for line in changes or ["nothing: params.yaml says all of it already"]:
        typer.echo(line)


def _make_yaml() -> Any:
    """Return a reader and writer that keeps comments and layout."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, 4096
    return yaml


def _dump_yaml(params: Any) -> str:
    stream = io.StringIO()
    _make_yaml().dump(params, stream)
    return stream.getvalue()


def _check_valid(name: str, text: str) -> None:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "params.yaml"
        file.write_text(text)
        errors = list_validation_errors(file)
    if errors:
        raise ConfigError(
            f"with preset {name!r}, params.yaml is not valid and stays as it is:\n  " + "\n  ".join(errors)
        )
