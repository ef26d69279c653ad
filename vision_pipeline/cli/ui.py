"""`vision ui`: MLflow's page of all runs, in the browser, with a view and a description of its own."""

import json
import os
import socket
import subprocess
import threading
import time
import urllib.request
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from vision_pipeline.cli.pipeline.dvc import python_command
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.logging import logger
from vision_pipeline.tracking.records import DESCRIPTION_TAG
from vision_pipeline.tracking.secrets import redact

if TYPE_CHECKING:
    from vision_pipeline.tracking.store import Store

_MAX_PORTS = 20
_SECONDS_TO_START = 60
# MLflow stores a view that can be linked to in a tag of the experiment; its default columns have no accuracy.
_VIEW_NAME = "overview"
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
_DESCRIPTION = """One run for each trained model: its params, every epoch, the test (`test.…`), the data and the commit.

- `test.accuracy` is of the whole test set; a run's description has its 95 % interval.
- `provenance` tells official data from a variant and from a stand-in.
- `layers.…` are gradients, saturated and dead units of each layer; empty the search above the charts to see them.
- The best of each data set is `champion` in the model registry (`vision champion`).
"""


def ui(
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port on this machine; the next free one is taken.")
    ] = 5000,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Open MLflow's page of all runs (127.0.0.1 only); Ctrl-C ends it."""
    from vision_pipeline.tracking.store import require_store, store_errors

    store = require_store()
    with store_errors(store, "the page was not opened"):
        fragment = configure_ui_view(store)
    if store.uri.startswith("http"):  # a server has its own page
        address = _print_addresses(store.uri.rstrip("/"), fragment)
        if browser:
            webbrowser.open(address)
        return
    _run_server(store.uri, fragment, _find_free_port(port), browser)


def configure_ui_view(store: "Store") -> str:
    """Give the experiment its view, and its description where it has none.

    Returns:
        The part of the page's address after `#`.
    """
    tags = store.client.get_experiment(store.experiment_id).tags
    view_tags = {
        f"mlflow.sharedViewState.{_VIEW_NAME}": json.dumps(_VIEW),
        DESCRIPTION_TAG: tags.get(DESCRIPTION_TAG) or _DESCRIPTION,
    }
    for tag, value in view_tags.items():
        if tags.get(tag) != value:
            store.client.set_experiment_tag(store.experiment_id, tag, value)
    # without workflowType, MLflow opens its pages for language models
    return f"/experiments/{store.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={_VIEW_NAME}"


def _print_addresses(server: str, fragment: str) -> str:
    """Print the addresses of the page, and return the first."""
    address = f"{server}/#{fragment}"
    typer.echo(redact(f"Runs: {address}\nCurves: {address}&compareRunsMode=CHART\nChampions: {server}/#/models"))
    return address


def _run_server(uri: str, fragment: str, port: int, browser: bool) -> None:
    from vision_pipeline.tracking.store import registry_uri

    address = _print_addresses(f"http://127.0.0.1:{port}", fragment)
    typer.echo("Ctrl-C ends it.")
    if browser:
        threading.Thread(target=_open_when_ready, args=(port, address), daemon=True).start()
    logger.debug(redact(f"MLflow's server reads {uri}"))
    server = python_command("mlflow", "ui", "--host", "127.0.0.1", "--port", str(port))
    # the address may hold a password, and a command's arguments can be read by all of the machine's users;
    # without MLflow's job queue there is one process less, and nothing here uses it
    server_env = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    if registry := registry_uri():
        server_env["MLFLOW_REGISTRY_STORE_URI"] = registry
    try:
        result = subprocess.run(server, check=False, env=os.environ | server_env)
    except KeyboardInterrupt:
        typer.echo("closed")
    else:
        raise typer.Exit(result.returncode)


def _find_free_port(first: int) -> int:
    for port in range(first, min(first + _MAX_PORTS, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise UserError(f"ports {first} to {first + _MAX_PORTS - 1} are taken; name another with --port")


def _open_when_ready(port: int, url: str) -> None:
    for _ in range(_SECONDS_TO_START):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
        except OSError:
            time.sleep(1)
        else:
            webbrowser.open(url)
            return
