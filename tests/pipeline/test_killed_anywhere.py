"""A small pipeline that is killed at any moment, or that two commands run at once: its dvc.lock ends as any other's."""

import random
import shutil
import signal
import time
from pathlib import Path

import psutil
import pytest
from clones import GENERATOR, Clone, finished, make_clone
from ruamel.yaml import YAML

MODELS = ("mnist-logistic", "mnist-mlp", "mnist-speednet")  # one grades the generator, one learns from its images
MOMENTS = 20
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with one data set, three models and a generator, of which nothing is run."""
    root = tmp_path_factory.mktemp("template")
    clone = make_clone(root)
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["datasets"] = {"mnist": params["datasets"]["mnist"]}
    params["policies"] = {"mnist-shift": params["policies"]["mnist-shift"]}
    params["models"] = {name: params["models"][name] for name in MODELS}
    params["models"]["mnist-mlp"]["seeds"] = []
    params |= {"backbones": {}, "features": {}}
    params["evaluate"]["tta"] = {}
    assert list(params["generators"]) == [GENERATOR]
    yaml.dump(params, root / "params.yaml")
    clone.commit("Smaller")
    return root


def copied(template: Path, root: Path) -> Clone:
    shutil.copytree(template, root)
    return Clone(root)


@pytest.fixture(scope="module")
def undisturbed(template: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The dvc.lock of a clone that nobody disturbed."""
    clone = copied(template, tmp_path_factory.mktemp("undisturbed") / "clone")
    clone.run("dvc", "repro")
    return (clone.root / "dvc.lock").read_bytes()


def of_stages(root: Path) -> list[psutil.Process]:
    """The processes of stages that run in a clone."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            words = process.info["cmdline"] or []
            if any(word.startswith("stages.") for word in words) and Path(process.cwd()).is_relative_to(root):
                found.append(process)
        except psutil.Error:
            continue
    return found


def kill(clone: Clone, dvc, whom: str) -> None:
    """SIGKILL for the stage that runs, or for DVC; afterwards nothing of either is left."""
    running = of_stages(clone.root)
    if whom == "stage" and running:
        running[0].send_signal(signal.SIGKILL)
    else:
        dvc.kill()
    dvc.communicate()
    end = time.monotonic() + 60
    while of_stages(clone.root):
        assert time.monotonic() < end, "an orphan goes on"
        time.sleep(0.05)


@pytest.fixture
def clone(template: Path, tmp_path: Path) -> Clone:
    """A clone in which nothing is run yet."""
    return copied(template, tmp_path / "clone")


def test_killed_at_twenty_moments_the_pipeline_ends_with_the_same_lock(clone: Clone, undisturbed: bytes) -> None:
    chance, alive = random.Random(0), 0
    for moment in range(MOMENTS):
        dvc = clone.start("dvc", "repro")
        time.sleep(chance.uniform(1, 12))
        alive += dvc.poll() is None
        kill(clone, dvc, chance.choice(["stage", "dvc"]))
        assert not list(clone.root.glob("exports/*/*.partial")), moment
    assert alive > MOMENTS // 2  # else it was rather a pipeline that had ended
    clone.run("dvc", "repro")
    assert (clone.root / "dvc.lock").read_bytes() == undisturbed


def test_of_two_repros_at_once_one_may_be_refused_and_nothing_is_wrong(clone: Clone, undisturbed: bytes) -> None:
    both = [clone.start("dvc", "repro"), clone.start("dvc", "repro")]
    said = [process.communicate()[0] for process in both]
    assert 0 in [process.returncode for process in both], said
    for process, output in zip(both, said, strict=True):
        assert process.returncode == 0 or "lock" in output, output[-2000:]
    clone.run("dvc", "repro")
    assert (clone.root / "dvc.lock").read_bytes() == undisturbed


def test_vision_repro_beside_an_experiment_in_a_temporary_copy(clone: Clone, undisturbed: bytes) -> None:
    repro = clone.start("python", "-m", "vision_pipeline.cli.main", "repro")
    end = time.monotonic() + 120
    while not of_stages(clone.root):
        assert time.monotonic() < end, "no stage began"
        time.sleep(0.1)
    options = ["--temp", "--name", "beside", "-S", "models.mnist-mlp.train.lr=0.02", "train@mnist-mlp"]
    experiment = clone.start("dvc", "exp", "run", *options)
    finished(experiment)
    finished(repro)
    yaml = YAML(typ="safe")  # `vision repro` ends stages in another order
    assert yaml.load(clone.root / "dvc.lock") == yaml.load(undisturbed)
    (ref,) = clone.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    assert "lr: 0.02" in clone.run("git", "show", f"{ref}:params.yaml")
