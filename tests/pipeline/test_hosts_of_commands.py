"""Which hosts the pipeline and the subcommands of `vision` ask for: those of the sources, and no library's maker."""

import json
import re
import signal
import time
import urllib.request

import pytest
from no_network import hosts, needs_library

from vision_pipeline.cli.main import app

# in one process, for each imports the same libraries; what is drawn is thrown away
_IN_TURN = """
import json
import sys

from vision_pipeline.cli.main import app

for arguments in json.loads(sys.argv[1]):
    assert not app(arguments, standalone_mode=False), arguments
"""
_COMMANDS = (
    ["check", "--offline"],
    ["preset"],
    ["plan"],
    ["show"],
    ["sync"],
    ["inspect", "mnist-mlp"],
    ["champion"],
    ["plots", "--no-browser"],
    ["predict", "mnist-mlp", "--random", "2"],
    ["summary", "mnist-mlp"],
    ["activations"],
    ["filters", "mnist-cnn"],
    ["gradients", "hello-elman"],
    ["invariance", "mnist-mlp", "--policy", "mnist-shift", "--copies", "1"],
    ["style", "docs/report.png", "docs/mlflow.png", "--size", "128", "--steps", "2"],
    ["tour", "a-batch"],
)
# the other tests of this folder run those, in clones that note whom they ask, too; `doctor` asks as `check` does
_ELSEWHERE = {"repro", "experiment", "sweep", "diff", "verify", "doctor", "ui"}


def test_no_stage_asks_for_a_host_where_everything_is_a_stand_in(clones, traces):
    needs_library()
    assert [hosts(clone.hosts_log) for clone in clones] == [set(), set()]
    # what a process leaves there that ends before it asks: ONNX Runtime waits for seconds
    assert not (traces / "cache" / "Microsoft").exists()


def test_no_command_asks_for_a_host(clones, tmp_path):
    needs_library()
    names = {command.callback.__name__ for command in app.registered_commands}
    assert names == {command[0] for command in _COMMANDS} | _ELSEWHERE
    clones[0].run("python", "-c", _IN_TURN, json.dumps(_COMMANDS), XDG_CACHE_HOME=str(tmp_path))
    assert not (tmp_path / "Microsoft").exists()


@pytest.mark.parametrize("command", ["check", "doctor"])
def test_what_looks_for_better_data_asks_the_hosts_of_the_catalogue_alone(clones, params, command):
    needs_library()
    clone = clones[0]
    clone.change(datasets__mnist__source="auto")
    clone.start("python", "-m", "vision_pipeline.cli.main", command).communicate()
    requested = hosts(clone.hosts_log)
    clone.hosts_log.unlink()
    catalogue = "".join(path.read_text() for path in (clone.root / "data/catalog").glob("*.yaml"))
    assert requested
    assert requested <= set(re.findall(r"https?://([^/\s]+)", catalogue))


@pytest.mark.slow
def test_mlflows_page_asks_for_no_host(clones):
    needs_library()
    clone = clones[0]
    server = clone.start("python", "-m", "vision_pipeline.cli.main", "ui", "--no-browser", no_proxy="127.0.0.1")
    address = re.search(r"http://127.0.0.1:\d+", server.stdout.readline())[0]
    try:
        end = time.monotonic() + 60
        while not answers(f"{address}/health"):
            assert time.monotonic() < end
            time.sleep(0.2)
        assert json.loads(answers(f"{address}/ajax-api/3.0/mlflow/ui-telemetry"))["disable_ui_telemetry"]
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(30)
    assert hosts(clone.hosts_log) == set()


def answers(address: str) -> bytes:
    try:
        with urllib.request.urlopen(address, timeout=1) as answer:
            return answer.read()
    except OSError:
        return b""
