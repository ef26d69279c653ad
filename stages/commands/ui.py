"""`vision ui`: MLflow's page of all runs, in the browser."""

import os
import socket
import subprocess
import threading
import time
import urllib.request
import webbrowser
from typing import Annotated

import typer

from stages.commands.pipeline.child import command
from stages.project.console import Refusal, say

_TRIES = 20
_SECONDS_TO_START = 60


def ui(
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port on this machine; the next free one is taken.")
    ] = 5000,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Open MLflow's page of all runs (127.0.0.1 only); Ctrl-C ends it."""
    from stages.tracking.page import page
    from stages.tracking.store import answering, open_or_refuse

    store = open_or_refuse()
    with answering(store, "the page was not opened"):
        runs = page(store)
    if store.uri.startswith("http"):  # a server has its own page
        address = _say(store.uri.rstrip("/"), runs)
        if browser:
            webbrowser.open(address)
        return
    _serve(store.uri, runs, _free_port(port), browser)


def _say(server: str, runs: str) -> str:
    """Print the addresses of the page; gives the first."""
    from stages.tracking.secrets import masked

    address = f"{server}/#{runs}"
    say(masked(f"Runs: {address}\nCurves: {address}&compareRunsMode=CHART\nChampions: {server}/#/models"))
    return address


def _serve(uri: str, runs: str, port: int, browser: bool) -> None:
    from stages.tracking.store import registry_uri

    address = _say(f"http://127.0.0.1:{port}", runs)
    say("Ctrl-C ends it.")
    if browser:
        threading.Thread(target=_open_when_ready, args=(port, address), daemon=True).start()
    server = command("mlflow", "ui", "--host", "127.0.0.1", "--port", str(port))
    # the address may hold a password, and a command's arguments can be read by all of the machine's users;
    # without MLflow's job queue there is one process less, and nothing here uses it
    told = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    if registry := registry_uri():
        told["MLFLOW_REGISTRY_STORE_URI"] = registry
    try:
        ended = subprocess.run(server, check=False, env=os.environ | told)
    except KeyboardInterrupt:
        say("closed")
    else:
        raise typer.Exit(ended.returncode)


def _free_port(first: int) -> int:
    for port in range(first, min(first + _TRIES, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Refusal(f"ports {first} to {first + _TRIES - 1} are taken; name another with --port")


def _open_when_ready(port: int, page: str) -> None:
    for _ in range(_SECONDS_TO_START):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).close()
        except OSError:
            time.sleep(1)
        else:
            webbrowser.open(page)
            return
