"""Clones of the working tree whose params.yaml is shrunk, and what a person does in them."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from no_network import hosts, without_network
from ruamel.yaml import YAML
from tiny_project import git

ROOT = Path(__file__).resolve().parents[2]
_yaml = YAML()
GENERATOR = "mnist-gan"
_GENERATOR = {
    "dataset": "mnist", "fraction": 1.0, "per_class": 2, "grader": "mnist-logistic",
    "gan": {"width": 4, "latent": 8, "steps": 10, "batch_size": 8, "lr": 0.001},
}  # fmt: skip


@dataclass(frozen=True)
class Clone:
    """A clone of the working tree, with its own git repository."""

    root: Path

    @property
    def hosts_log(self) -> Path:
        """The file in which the hosts are noted that its processes ask for."""
        return self.root.with_name(f"{self.root.name}.hosts")

    def environment(self, **more: str) -> dict[str, str]:
        """Of a person in the activated environment, without a mirror or a network; tracking must work."""
        around = without_network(self.hosts_log)
        kept = {k: v for k, v in around.items() if k not in ("DATA_MIRROR", "MLFLOW_TRACKING_URI", "DVC_ROOT")}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        return kept | {"PATH": path, "TRACKING": "strict", "PYTHONPATH": ""} | more

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        """Start a command in the clone."""
        return subprocess.Popen(
            command, cwd=self.root, env=self.environment(**environment),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def run(self, *command: str, **environment: str) -> str:
        """Run a command in the clone; its output, when it succeeds and has asked for no host."""
        output = finished(self.start(*command, **environment))
        assert hosts(self.hosts_log) == set()
        return output

    def commit(self, message: str) -> None:
        """Commit everything, for DVC's experiments start from a commit."""
        git("add", "-A", cwd=self.root)
        git("commit", "--allow-empty", "-qm", message, cwd=self.root)

    def change(self, **values: object) -> None:
        """Set keys of params.yaml, given as `models__mnist-mlp__train__lr=1`."""
        path = self.root / "params.yaml"
        params = _yaml.load(path)
        for key, value in values.items():
            *way, last = key.split("__")
            section = params
            for part in way:
                section = section[part]
            section[last] = value
        _yaml.dump(params, path)


def finished(process: subprocess.Popen) -> str:
    """The output of a process that must succeed."""
    output, _ = process.communicate()
    assert process.returncode == 0, output[-6000:]
    return output


def make_clone(root: Path) -> Clone:
    """Copy what git would commit, shrink the params, commit."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines():
        if (ROOT / name).is_file() and not name.startswith("reports/") and not name.endswith("dvc.lock"):
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, root / name)
    _shrink(root / "params.yaml")
    git("init", "-q", cwd=root)
    clone = Clone(root)
    clone.commit("A clone")
    return clone


def _shrink(path: Path) -> None:
    params = _yaml.load(path)
    params["threads"] = 1  # the clones run side by side
    params["data"]["limit"] = 200
    params["datasets"]["cats_dogs"]["prepare"]["size"] = 64
    for dataset in params["datasets"].values():
        dataset["source"] = "stand-in"
    params["backbones"]["densenet121"]["source"] = "random"
    params["generators"] = {GENERATOR: _GENERATOR}
    params["models"]["mnist-speednet"]["synthetic"] = GENERATOR
    for model in params["models"].values():
        if "epochs" in model["train"]:
            model["train"]["epochs"] = 2
    _yaml.dump(params, path)
