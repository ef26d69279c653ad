"""Rank all models and write one page about them: reports/leaderboard.csv, leaderboard.md, comparisons.csv, index.html.

A stage of dvc.yaml: `dvc repro compare`. It ranks the models that params.yaml lists and that have been evaluated.
"""

from typing import Any

from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.files import read_json, write_text
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import AUGMENTED, MODEL_REPORTS, REPORTS
from vision_pipeline.core.stage_main import run_with_exit_code
from vision_pipeline.evaluation.leaderboard import build_leaderboard, caveats, split_evaluated, to_markdown, to_text
from vision_pipeline.evaluation.report import ReportContext, collect_policies, render_report
from vision_pipeline.evaluation.significance import compare_all, gap_to_best
from vision_pipeline.evaluation.tables import write_table


def main() -> None:
    """Write the leaderboard, the comparison of all pairs and the page; print the leaderboard.

    Raises:
        ArtifactError: no model has been evaluated, or a report is damaged.
    """
    (models,) = load_params("models")
    evaluated_models, missing = split_evaluated(models, MODEL_REPORTS)
    if not evaluated_models:
        raise ArtifactError(f"{MODEL_REPORTS} has no evaluated model of params.yaml; `dvc repro` evaluates them all")
    table = build_leaderboard(evaluated_models, MODEL_REPORTS)
    data_summaries: dict[str, dict[str, Any]] = {
        name: read_json(MODEL_REPORTS / name / "data.json") for name in evaluated_models
    }
    settings = {name: models[name].model_dump() for name in evaluated_models}
    policies = {policy for name in evaluated_models for policy in collect_policies(settings[name])}
    previews = {policy: AUGMENTED / policy / "preview.png" for policy in policies}
    notes, comparison_table = caveats(table, data_summaries), compare_all(table, MODEL_REPORTS)
    gaps = gap_to_best(table, comparison_table)

    write_table(REPORTS / "leaderboard.csv", table)
    write_text(REPORTS / "leaderboard.md", to_markdown(table, gaps, notes, missing))
    write_table(REPORTS / "comparisons.csv", comparison_table)
    context = ReportContext(
        reports=MODEL_REPORTS,
        data_summaries=data_summaries,
        settings=settings,
        previews=previews,
        comparisons=comparison_table,
    )
    write_text(REPORTS / "index.html", render_report(table, context, notes, missing))

    logger.info(f"\n{to_text(table, gaps)}\n")
    for note in notes:
        logger.warning(note)
    if missing:
        logger.info(f"Not evaluated yet: {', '.join(missing)}")
    logger.info(f"Next: open {REPORTS / 'index.html'} in a browser; `make ui` shows the runs in MLflow.")


if __name__ == "__main__":
    run_with_exit_code(main)
