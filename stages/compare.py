"""Rank all models and show them on one page: reports/leaderboard.csv, leaderboard.md, comparisons.csv, index.html.

A stage of dvc.yaml: `dvc repro compare`. It ranks the models that params.yaml lists and that have been evaluated.
"""

from typing import Any

from stages.evaluation.comparisons import against_best, comparisons
from stages.evaluation.leaderboard import as_markdown, evaluated, for_terminal, leaderboard, warnings
from stages.evaluation.report import Material, page, policies_of
from stages.evaluation.tables import write_table
from stages.params import load
from stages.project.console import Refusal, say, warn
from stages.project.door import run_or_refuse
from stages.project.files import read_json, write_text
from stages.project.paths import AUGMENTED, MODEL_REPORTS, REPORTS


def main() -> None:
    """Write the leaderboard, the comparison of all pairs and the page; print the leaderboard."""
    (models,) = load("models")
    done, missing = evaluated(models, MODEL_REPORTS)
    if not done:
        raise Refusal(f"{MODEL_REPORTS} has no evaluated model of params.yaml; `dvc repro` evaluates them all")
    table = leaderboard(done, MODEL_REPORTS)
    facts: dict[str, dict[str, Any]] = {name: read_json(MODEL_REPORTS / name / "data.json") for name in done}
    settings = {name: models[name].model_dump() for name in done}
    policies = {policy for name in done for policy in policies_of(settings[name])}
    sheets = {policy: AUGMENTED / policy / "preview.png" for policy in policies}
    notes, found = warnings(table, facts), comparisons(table, MODEL_REPORTS)
    against = against_best(table, found)

    write_table(REPORTS / "leaderboard.csv", table)
    write_text(REPORTS / "leaderboard.md", as_markdown(table, against, notes, missing))
    write_table(REPORTS / "comparisons.csv", found)
    material = Material(MODEL_REPORTS, facts, settings, sheets, found)
    write_text(REPORTS / "index.html", page(table, material, notes, missing))

    say(f"\n{for_terminal(table, against)}\n")
    for note in notes:
        warn(note)
    if missing:
        say(f"Not evaluated yet: {', '.join(missing)}")
    say(f"Next: open {REPORTS / 'index.html'} in a browser; `make ui` shows the runs in MLflow.")


if __name__ == "__main__":
    run_or_refuse(main)
