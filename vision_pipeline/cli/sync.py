"""`vision sync`: MLflow's runs brought up to what DVC has, restored where they are missing."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import read_json
from vision_pipeline.core.paths import EXPORTS, MODELS, PREPARED

if TYPE_CHECKING:
    from vision_pipeline.tracking.store import Store
    from vision_pipeline.tracking.sync import SyncResult


def sync() -> None:
    """Bring MLflow up to what DVC has: each trained model's run, and those of DVC's experiments; run it at any time."""
    from vision_pipeline.tracking.search import close_dead_runs
    from vision_pipeline.tracking.store import store_errors
    from vision_pipeline.tracking.sync import sync_model
    from vision_pipeline.vcs.dvc_lock import read_workspace_lock

    if not Path("dvc.yaml").exists():
        raise UserError("dvc.yaml is missing; run from the repository's root")
    store, lock = _open_store(), read_workspace_lock()
    names = sorted(path.parent.name for path in MODELS.glob("*/training.json"))
    width = max(map(len, names), default=0) + len(", seed 00")
    results = []
    for name in names:
        for result in sync_model(store, name, lock, _log_served_model):
            results.append(result)
            typer.echo(_format_result(result, width))
    typer.echo(_format_total(results))
    with store_errors(store, "the runs of DVC's experiments were not completed"):
        _sync_experiments(store)
        if closed := close_dead_runs(store):  # now that those are completed whose training had ended
            typer.echo(f"runs whose process was killed, now closed as KILLED: {closed}")


def _open_store() -> "Store":
    from vision_pipeline.tracking.store import require_store, tracking_mode

    if tracking_mode() == "off":
        raise UserError("TRACKING is off, and with it MLflow; unset it to sync")
    return require_store()


def _format_result(result: "SyncResult", width: int) -> str:
    return f"{result.name:{width}}  {result.status:9}  {result.note}".rstrip()


def _format_total(results: Sequence["SyncResult"]) -> str:
    counts = Counter(result.status for result in results)
    return f"{len(results)} trainings: " + (
        ", ".join(f"{counts[status]} {status}" for status in counts) or "none is trained"
    )


def _sync_experiments(store: "Store") -> None:
    """Sync the models of DVC's experiments, and print a line for each experiment."""
    from vision_pipeline.tracking.sync import sync_experiment
    from vision_pipeline.vcs.experiments import list_experiments

    experiments = list_experiments()
    width = max((len(experiment.name) for experiment in experiments), default=0)
    for experiment in experiments:
        counts = {status: count for status, count in sync_experiment(store, experiment).items() if count}
        status = ", ".join(f"{count} {status}" for status, count in counts.items())
        typer.echo(f"experiment {experiment.name:{width}}  {status or 'no reports in git'}")


def _log_served_model(client: Any, run_id: str, name: str) -> bool:
    """Log the exported model to serve; return False where there is no data to take an example from."""
    from vision_pipeline.data.format import open_dataset
    from vision_pipeline.export.mlflow_model import log_served_model

    folder = PREPARED / read_json(MODELS / name / "training.json")["settings"]["model"]["dataset"]
    if not (folder / "dataset.json").exists():
        return False
    inputs = open_dataset(folder).inputs("test")
    log_served_model(client, run_id, name=name, onnx_file=EXPORTS / name / "model.onnx", inputs=inputs)
    return True
