"""Other values for params.yaml: section by section, as presets and experiments set them, or by dotted keys."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from vision_pipeline.core.dicts import set_nested

ParamDict = dict[str, Any]  # a section of params.yaml, or values by dotted key: `train.epochs`


def deep_merge(params: Any, values: Any, prefix: str = "") -> list[str]:
    """Set each of `values` in `params`, section by section.

    Args:
        params: nested dictionaries, also ruamel's; changed in place.
        values: nested dictionaries; a value that is not in a section of both replaces the one in `params`.
        prefix: dotted path of `params`, with which the lines begin.

    Returns:
        The changes, one line each: `key: old -> new`, or `key: new`.
    """
    changes = []
    for key, value in values.items():
        path, old = f"{prefix}{key}", params.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            changes += deep_merge(old, value, f"{path}.")
        elif old != value:
            changes.append(f"{path}: {'new' if key not in params else f'{_to_plain(old)} -> {_to_plain(value)}'}")
            params[key] = value
    return changes


def apply_overrides(model: ParamDict, *overrides: Mapping[str, Any]) -> ParamDict:
    """Return a copy of a model's entry with other values by dotted key; later ones win."""
    updated = deepcopy(model)
    for values in overrides:
        for key, value in values.items():
            set_nested(updated, key.split("."), value)
    return updated


def _to_plain(value: Any) -> Any:
    """Return a list of the YAML reader as a plain one, which is printed without its type."""
    return list(value) if isinstance(value, list) else value
