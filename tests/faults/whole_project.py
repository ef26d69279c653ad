"""A project with something for every stage to do, and small enough to do it in a moment."""

import importlib
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from ruamel.yaml import YAML

from vision_pipeline.core.stage_main import run_with_exit_code

# each stage, and what it writes
STAGES = {
    ("check", ""): ["data/checked"],
    ("download", "mine"): ["data/raw/mine"],
    ("prepare", "mine"): ["data/prepared/mine"],
    ("augment", "mine-turn"): ["data/augmented/mine-turn"],
    ("weights", "shuffle"): ["data/weights/shuffle"],
    ("featurize", "mine-shuffle"): ["data/features/mine-shuffle"],
    ("synthesize", "mine-gan"): ["data/synthetic/mine-gan"],
    ("train", "judge"): ["models/judge", "reports/models/judge"],
    ("evaluate", "judge"): [f"reports/models/judge/{file}" for file in ("metrics.json", "data.json", "seeds.csv")],
    ("grade", "mine-gan"): ["data/synthetic/mine-gan/grade.json"],
    ("export", "judge"): ["exports/judge"],
    ("compare", ""): [f"reports/{file}" for file in ("leaderboard.csv", "comparisons.csv", "index.html")],
}  # fmt: skip
_BESIDE = (".dvc", ".ckpt", ".cache")  # locks and states, which are no outs


def make_project(root: Path, repository: Path) -> None:
    """Two classes of 24 images of 32 x 32 pixels, and params.yaml with one entry of everything."""
    for nothing in ("augmented/none", "synthetic/none", "weights/none"):
        shutil.copytree(repository / "data" / nothing, root / "data" / nothing)
    random = np.random.default_rng(0)
    for label, level in (("dark", 80), ("light", 170)):
        (root / "own" / label).mkdir(parents=True)
        for number in range(24):
            pixels = random.normal(level, 20, (32, 32, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(root / "own" / label / f"{number:02}.png")
    yaml = YAML(typ="safe")
    params = yaml.load(repository / "params.yaml")
    yaml.dump(params | _sections(params), root / "params.yaml")


def _sections(params: dict) -> dict:
    prepare = {"size": 32, "channels": 3, "validation": 0.2, "test": 0.2}
    judge = params["models"]["mnist-mlp"] | {"dataset": "mine", "inputs": "prepared/mine", "hidden": [4], "seeds": []}
    gan = {"width": 4, "latent": 8, "steps": 2, "batch_size": 8, "lr": 0.001}
    return {
        "device": "cpu", "precision": "fp32", "threads": 1,
        "datasets": {"mine": {"kind": "folder", "path": "own", "source": "auto", "prepare": prepare}},
        "policies": {"mine-turn": params["policies"]["mnist-shift"] | {"dataset": "mine", "views": 1}},
        "backbones": {"shuffle": {"library": "torchvision", "network": "shufflenet_v2_x0_5", "source": "random"}},
        "features": {"mine-shuffle": {
            "dataset": "mine", "backbone": "shuffle", "augmentation": "none", "views": 1, "batch_size": 8,
        }},
        "generators": {"mine-gan": {
            "dataset": "mine", "fraction": 1.0, "per_class": 2, "grader": "judge", "gan": gan,
        }},
        "models": {"judge": judge | {"train": judge["train"] | {"epochs": 2, "batch_size": 8}}},
        "evaluate": params["evaluate"] | {"tta": {}},
    }  # fmt: skip


def exit_code(stage: tuple[str, str]) -> int:
    """Run a stage in the working folder, as its script does; its exit code."""
    door, name = stage
    main = importlib.import_module(f"stages.{door}").main
    try:
        run_with_exit_code(lambda: main(name) if name else main())
    except SystemExit as ended:
        return int(ended.code or 0)


def harmed(stage: tuple[str, str]) -> list[tuple[str, str]]:
    """The later stages whose outs lie in a folder that `stage` makes anew."""
    later = list(STAGES)[list(STAGES).index(stage) + 1 :]
    return [one for one in later if any(out.startswith(tuple(STAGES[stage])) for out in STAGES[one])]


def contents(root: Path) -> dict[str, bytes]:
    """Every file of the project, but for locks and states."""
    files = [path for path in root.rglob("*") if path.is_file()]
    named = {path.relative_to(root).as_posix(): path for path in files}
    return {name: path.read_bytes() for name, path in sorted(named.items()) if not name.startswith(_BESIDE)}


def remove(root: Path, stage: tuple[str, str]) -> None:
    """The outs of a stage, as DVC removes them before it runs one."""
    for out in STAGES[stage]:
        shutil.rmtree(root / out, ignore_errors=True) if (root / out).is_dir() else (root / out).unlink(missing_ok=True)
