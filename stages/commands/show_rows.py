"""The rows of `vision show`: of each experiment the models that it trained, and what it changed."""

from typing import Any, NamedTuple

from stages.tracking.experiments import State

_SHOWN = 3  # changed params of a row


class Row(NamedTuple):
    """A line of the table."""

    experiment: str
    model: str
    test: str
    validation: str
    points: str
    changed: str


def rows(name: str, now: State, before: State) -> list[Row]:
    """A row for each model whose training is another than in the commit that the experiment began from."""
    trained = [
        model
        for model, report in now.reports.items()
        if report and report.get("key") != before.reports.get(model, {}).get("key")
    ]
    others = _changed(_without_models(before.params), _without_models(now.params))
    made = [_row(model, now, before, others if place == 0 else []) for place, model in enumerate(trained)]
    made = made or [Row("", "no model trained", "", "", "", _joined(others))]
    return [made[0]._replace(experiment=name), *made[1:]]


def _without_models(params: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key != "models"}


def _row(model: str, now: State, before: State, others: list[str]) -> Row:
    report, old = now.reports[model], before.reports.get(model, {})
    points = (
        f"{100 * (report['accuracy'] - old['accuracy']):+.2f}" if "accuracy" in report and "accuracy" in old else ""
    )
    section, earlier = now.params["models"][model], before.params.get("models", {}).get(model)
    changed = _changed(earlier, section) if earlier is not None else ["a new model"]
    return Row(
        "", model, _percent(report, "accuracy"), _percent(report, "val_accuracy"), points, _joined(others + changed)
    )


def _percent(report: dict[str, Any], key: str) -> str:
    return f"{report[key]:.2%}" if key in report else ""


def _changed(before: dict[str, Any], now: dict[str, Any], prefix: str = "") -> list[str]:
    """What differs, as `key=value`; a section that came or went as one."""
    found: list[str] = []
    for key in dict.fromkeys([*now, *before]):
        old, new, name = before.get(key), now.get(key), f"{prefix}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            found += _changed(old, new, f"{name}.")
        elif key not in now:
            found.append(f"without {name}")
        elif old != new:
            found.append(f"{name} is new" if isinstance(new, dict) else f"{name}={new}")
    return found


def _joined(changed: list[str]) -> str:
    more = len(changed) - _SHOWN
    return ", ".join(changed[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
