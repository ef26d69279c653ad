"""The house's rules: imports run downward, modules and functions stay small, names are specific."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = "vision_pipeline"
# from top to bottom: a package imports only packages that stand after it
PACKAGES = (
    "cli", "export", "gan", "training", "tracking", "sources", "models", "style_transfer", "data", "augmentation",
    "evaluation", "runtime", "vcs", "config", "core",
)  # fmt: skip
MAX_PACKAGES, MAX_PAIRS, MAX_MODULE_LINES, MAX_FUNCTION_LINES = 16, 50, 300, 50
WORN_WORDS = {"told", "found", "given", "about", "known", "wanted", "asked", "shown", "learnt"}
# defined by several modules for a reason: architectures have one interface, steps of the tour are commands
SHARED_NAMES = {"build", "gradients"}

SOURCES = {
    path.relative_to(ROOT): ast.parse(path.read_text())
    for folder in (LIBRARY, "stages", "benchmarks", "tests")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
MODULES = {path: tree for path, tree in SOURCES.items() if path.parts[0] == LIBRARY}


def imported_modules(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def package_pairs() -> set[tuple[str, str]]:
    """Pairs of packages of the library where the first imports the second."""
    pairs = set()
    for path, tree in MODULES.items():
        for name in imported_modules(tree):
            top, _, rest = name.partition(".")
            package = rest.partition(".")[0]
            if top == LIBRARY and package in PACKAGES and len(path.parts) > 2 and package != path.parts[1]:
                pairs.add((path.parts[1], package))
    return pairs


def test_the_library_has_the_packages_of_the_list() -> None:
    folders = {path.name for path in (ROOT / LIBRARY).iterdir() if (path / "__init__.py").exists()}
    assert folders == set(PACKAGES)
    assert len(folders) <= MAX_PACKAGES


def test_imports_run_downward() -> None:
    pairs = package_pairs()
    assert [pair for pair in sorted(pairs) if PACKAGES.index(pair[0]) > PACKAGES.index(pair[1])] == []
    assert len(pairs) <= MAX_PAIRS


def test_nothing_in_the_library_imports_a_stage() -> None:
    tops = {(path, name) for path, tree in MODULES.items() for name in imported_modules(tree)}
    assert [entry for entry in tops if entry[1].partition(".")[0] in ("stages", "tests", "benchmarks")] == []


def test_stage_scripts_do_not_import_each_other() -> None:
    scripts = {path: tree for path, tree in SOURCES.items() if path.parts[0] == "stages"}
    assert {path.parent for path in scripts} == {Path("stages")}
    assert [path for path, tree in scripts.items() if any(n.startswith("stages") for n in imported_modules(tree))] == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    names = {".".join(path.with_suffix("").parts): tree for path, tree in MODULES.items()}
    graph = {
        name: {
            module
            for node in tree.body
            if isinstance(node, ast.Import | ast.ImportFrom)
            for module in imported_modules(node)
            if module in names
        }
        for name, tree in names.items()
    }
    assert len(list(TopologicalSorter(graph).static_order())) == len(names)


def test_modules_and_functions_stay_small() -> None:
    sizes = {path: len((ROOT / path).read_text().splitlines()) for path in MODULES}
    assert {path: lines for path, lines in sizes.items() if lines > MAX_MODULE_LINES} == {}
    long_functions = {
        (str(path), node.name)
        for path, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES
    }
    assert long_functions == set()


def defined_names(tree: ast.AST) -> Iterator[str]:
    """Names of functions, classes and attributes that a file defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    yield item.target.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def test_no_worn_word_is_a_name() -> None:
    names = {(str(path), name) for path, tree in SOURCES.items() for name in (path.stem, *defined_names(tree))}
    assert {(path, name) for path, name in names if name.strip("_") in WORN_WORDS} == set()


def test_no_public_name_is_defined_in_two_modules() -> None:
    homes = defaultdict(set)
    for path, tree in MODULES.items():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                homes[node.name].add(str(path))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1 and name not in SHARED_NAMES} == {}
