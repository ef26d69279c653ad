"""What dvc.yaml declares is what the stages do: params, imports, writes."""

import ast
import importlib
import json
from pathlib import Path

import pytest
from clones import make_clone
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
# They change no result: tracking only reports, the schema's only defaults mean off, vcs reads git and DVC.
NO_RESULT = (
    "vision_pipeline/tracking/", "vision_pipeline/config/", "vision_pipeline/vcs/", "vision_pipeline/__init__.py",
    "stages/__init__.py",
)  # fmt: skip
CHECK = "stages/dvc.yaml:check"
SCRIPTS = (
    "download", "prepare", "augment", "weights", "featurize", "synthesize", "grade", "train", "evaluate", "export",
)  # fmt: skip


def resolved_stages(root: Path) -> dict:
    """Stage data by name, interpolated by DVC itself."""
    from dvc.repo import Repo

    with Repo(str(root)) as repo:
        return {
            stage.addressing: {
                "deps": [dep.def_path for dep in stage.deps if dep.def_path != "params.yaml"],
                "params": [key for dep in stage.deps if hasattr(dep, "params") for key in dep.params],
                "outs": [out.def_path for out in stage.outs],
            }
            for stage in repo.index.stages
        }


def requested_keys(script: str, name: str, monkeypatch) -> list[str]:
    """What a script asks `load` for."""

    class Requested(Exception):
        pass

    def note(*keys: str):
        raise Requested(*keys)

    module = importlib.import_module(f"stages.{script}")
    monkeypatch.setattr(module, "load_params", note)
    with pytest.raises(Requested) as error:
        module.main(name) if name else module.main()
    return list(error.value.args)


def names_of(script: str, root: Path) -> list[str]:
    params = YAML(typ="safe").load(root / "params.yaml")
    section = {"download": "datasets", "prepare": "datasets", "augment": "policies", "weights": "backbones"}
    section |= {"featurize": "features", "synthesize": "generators", "grade": "generators"}
    return list(params[section.get(script, "models")])


@pytest.fixture(scope="module")
def unrun(tmp_path_factory) -> Path:
    """A clone whose params have an entry in every section, also in `generators`, which is empty by default."""
    return make_clone(tmp_path_factory.mktemp("unrun")).root


@pytest.fixture(scope="module")
def declared(unrun) -> dict:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(unrun)  # stages elsewhere have longer names
        return resolved_stages(unrun)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_stage_reads_exactly_the_params_it_declares(script, declared, unrun, monkeypatch):
    for name in names_of(script, unrun):
        assert sorted(requested_keys(script, name, monkeypatch)) == sorted(declared[f"{script}@{name}"]["params"])


@pytest.mark.parametrize(("script", "stage"), [("check", CHECK), ("compare", "compare")])
def test_a_stage_without_a_name_reads_exactly_the_params_it_declares(script, stage, declared, monkeypatch):
    assert requested_keys(script, "", monkeypatch) == declared[stage]["params"]


def test_the_stages_are_the_steps_of_building_a_model(declared):
    assert {name.split("@")[0] for name in declared} == {CHECK, *SCRIPTS, "compare"}


def test_params_are_loaded_once_in_a_script_and_nowhere_else_in_the_results():
    for source in (*(ROOT / "stages").rglob("*.py"), *(ROOT / "vision_pipeline").rglob("*.py")):
        relative = source.relative_to(ROOT).as_posix()
        nodes = list(ast.walk(ast.parse(source.read_text())))
        imported = any(
            isinstance(node, ast.ImportFrom)
            and node.module == "vision_pipeline.config.load"
            and "load_params" in [alias.name for alias in node.names]
            for node in nodes
        )
        if relative.startswith("stages/"):
            calls = [n for n in nodes if isinstance(n, ast.Call) and getattr(n.func, "id", None) == "load_params"]
            assert len(calls) == (1 if imported else 0), relative
        elif not relative.startswith((*NO_RESULT, "vision_pipeline/cli/")):
            assert not imported, relative


def traced(traces: Path) -> dict[str, dict]:
    """What each stage's processes imported and wrote, by the stage's name."""
    together: dict[str, dict] = {}
    for file in traces.glob("*.json"):
        note = json.loads(file.read_text())
        name = note["stage"].removeprefix("dvc.yaml:")
        entry = together.setdefault(name, {"modules": set(), "written": set(), "heavy": set()})
        for field in entry:
            entry[field] |= set(note[field])
    return together


def covered(path: str, declared: list[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in declared)


def test_every_module_that_a_stage_imports_is_in_its_deps(clones, traces, declared):
    root = clones[0].root
    seen = traced(traces)
    assert set(seen) == set(declared)
    for stage, facts in seen.items():
        modules = [Path(file).relative_to(root).as_posix() for file in facts["modules"]]
        used = [module for module in modules if not module.startswith(NO_RESULT)]
        if stage != CHECK:  # it runs at every `dvc repro` anyway
            missing = [module for module in used if not covered(module, declared[stage]["deps"])]
            assert not missing, f"{stage} imports what it does not declare: {missing}"


def final_name(path: str) -> str:
    """The name that a temporary file or folder gets when it is complete."""
    parts = []
    for part in Path(path).parts:
        if part.startswith(".") and part.endswith(".partial"):
            pieces = part.removeprefix(".").removesuffix(".partial").split(".")
            part = ".".join(pieces[:-1] if pieces[-1].isdigit() else pieces)
        parts.append(part)
    return "/".join(parts)


def test_every_path_that_a_stage_writes_is_in_its_outs(clones, traces, declared):
    root = clones[0].root
    beside = (
        "mlartifacts",
        ".dvc/tmp",
        ".cache",
        ".ckpt",
        *(f"mlflow.db{end}" for end in ("", "-journal", "-wal", "-shm")),
    )
    for stage, facts in traced(traces).items():
        inside = [Path(path).relative_to(root) for path in facts["written"] if Path(path).is_relative_to(root)]
        written = [final_name(path.as_posix()) for path in inside if "__pycache__" not in path.parts]
        stray = [
            p for p in written if not covered(p, [*declared[stage]["outs"], *beside]) and not p.startswith("mlflow.db")
        ]
        assert not stray, f"{stage} writes what it does not declare: {stray}"


def test_light_stages_import_neither_torch_nor_mlflow(clones, traces):
    seen = traced(traces)
    light = [stage for stage in seen if stage.startswith((CHECK, "download", "prepare", "compare"))]
    assert {stage: seen[stage]["heavy"] for stage in light} == {stage: set() for stage in light}
