"""`vision sync`: MLflow's runs as a view of what DVC has, made again where they are missing."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.project.console import Refusal, say
from stages.project.files import read_json
from stages.project.paths import EXPORTS, MODELS, PREPARED

if TYPE_CHECKING:
    from stages.tracking.store import Store
    from stages.tracking.sync import Synced


def sync() -> None:
    """Bring MLflow up to what DVC has: each trained model's run, and those of DVC's experiments; run it at any time."""
    from stages.tracking.dvc_lock import workspace_lock
    from stages.tracking.search import close_dead_runs
    from stages.tracking.store import answering
    from stages.tracking.sync import sync_model

    if not Path("dvc.yaml").exists():
        raise Refusal("dvc.yaml is missing; run from the repository's root")
    store, lock = _store(), workspace_lock()
    names = sorted(path.parent.name for path in MODELS.glob("*/training.json"))
    width = max(map(len, names), default=0) + len(", seed 00")
    found = []
    for name in names:
        for one in sync_model(store, name, lock, _serve):
            found.append(one)
            say(_line(one, width))
    say(_total(found))
    with answering(store, "the runs of DVC's experiments were not completed"):
        _experiments(store)
        if closed := close_dead_runs(store):  # now that those are completed whose training had ended
            say(f"runs whose process was killed, now closed as KILLED: {closed}")


def _store() -> "Store":
    from stages.tracking.store import mode, open_or_refuse

    if mode() == "off":
        raise Refusal("TRACKING is off, and with it MLflow; unset it to sync")
    return open_or_refuse()


def _line(one: "Synced", width: int) -> str:
    return f"{one.name:{width}}  {one.did:9}  {one.note}".rstrip()


def _total(found: Sequence["Synced"]) -> str:
    counts = Counter(one.did for one in found)
    return f"{len(found)} trainings: " + (", ".join(f"{counts[did]} {did}" for did in counts) or "none is trained")


def _experiments(store: "Store") -> None:
    """The same for the models of DVC's experiments, one line each."""
    from stages.tracking.experiments import experiments
    from stages.tracking.sync_experiments import sync_experiment

    found = experiments()
    width = max((len(one.name) for one in found), default=0)
    for one in found:
        counts = {did: count for did, count in sync_experiment(store, one).items() if count}
        did = ", ".join(f"{count} {did}" for did, count in counts.items())
        say(f"experiment {one.name:{width}}  {did or 'no reports in git'}")


def _serve(client: Any, run_id: str, name: str) -> bool:
    """Log the exported model to serve, where the data is there to take an example from."""
    from stages.datasets.format import open_set
    from stages.exporting.served import log_served_model

    folder = PREPARED / read_json(MODELS / name / "training.json")["settings"]["model"]["dataset"]
    if not (folder / "dataset.json").exists():
        return False
    log_served_model(client, run_id, name, EXPORTS / name / "model.onnx", open_set(folder).inputs("test"))
    return True
