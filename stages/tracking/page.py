"""MLflow's page of all runs, as it is opened: its columns and charts, and what it says of itself."""

import json

from stages.tracking.records import NOTE
from stages.tracking.store import Store

# MLflow keeps a view that can be linked to in a tag of the experiment; else its columns have no accuracy.
_NAME = "overview"
_VIEW = {
    "selectedColumns": [
        "attributes.`Description`",
        "attributes.`Models`",
        "metrics.`test.accuracy`",
        "metrics.`test.loss`",
        "params.`model.architecture`",
        "params.`model.dataset`",
        "params.`seed`",
        "tags.`provenance`",
    ],
    "chartsSearchFilter": r"^(train_|val_|test\.)(accuracy|loss)$",
}
_ABOUT = """One run for each trained model: its params, every epoch, the test (`test.…`), the data and the commit.

- `test.accuracy` is of the whole test set; a run's description has its 95 % interval.
- `provenance` tells official data from a variant and from a stand-in.
- `layers.…` are gradients, saturated and dead units of each layer; empty the search above the charts to see them.
- The best of each data set is `champion` in the model registry (`vision champion`).
"""


def page(store: Store) -> str:
    """Give the experiment its view, and its description where it has none; the part of the address after `#`."""
    tags = store.client.get_experiment(store.experiment_id).tags
    wanted = {f"mlflow.sharedViewState.{_NAME}": json.dumps(_VIEW), NOTE: tags.get(NOTE) or _ABOUT}
    for tag, value in wanted.items():
        if tags.get(tag) != value:
            store.client.set_experiment_tag(store.experiment_id, tag, value)
    # without the kind of work, MLflow shows its pages for language models
    return f"/experiments/{store.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={_NAME}"
