"""Check what no single key of `params.yaml` can tell of data: policies, and paths that a person names."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from math import ceil, floor
from pathlib import Path

from vision_pipeline.config.data import (
    AnyDatasetConfig,
    PolicyConfig,
    PrepareImagesConfig,
    PrepareTextConfig,
    TranslateConfig,
)
from vision_pipeline.config.fields import format_unknown_ref
from vision_pipeline.config.schema import Params
from vision_pipeline.core.limits import MIN_BACKBONE_SIZE, STYLE_BACKBONES
from vision_pipeline.core.paths import PREPARED, RAW, repo_root

_URL_SCHEMES = ("http://", "https://")  # a text may be fetched from there


def get_non_image_kind(params: Params, name: str) -> str:
    """Return what a data set holds instead of images; "" where it holds images, or is missing."""
    dataset = params.datasets.get(name)
    if dataset is None or isinstance(dataset.prepare, PrepareImagesConfig):
        return ""
    return "a text" if isinstance(dataset.prepare, PrepareTextConfig) else "sequences of symbols"


def check_policies(params: Params) -> Iterator[str]:
    """Yield one line for each reason why a policy does not fit."""
    for name, policy in params.policies.items():
        key = f"policies.{name}"
        if name == "none":
            yield f"{key}: the name `none` is taken (it means no augmentation)"
        if policy.dataset not in params.datasets:
            yield format_unknown_ref(f"{key}.dataset", policy.dataset, "datasets", list(params.datasets))
        if kind := get_non_image_kind(params, policy.dataset):
            yield f"{key}.dataset is {policy.dataset!r}, {kind}; augmentation is for images"
        yield from _check_whole_pixels(f"{key}.translate", policy.translate)
        yield from _check_style(params, key, policy)


def _check_whole_pixels(key: str, shift: TranslateConfig) -> Iterator[str]:
    for direction, (low, high) in (("right", shift.right), ("up", shift.up)):
        if shift.whole_pixels and ceil(low) > floor(high):
            yield f"{key}.{direction} is {[low, high]}; allowed: a range with a whole number, or whole_pixels: false"


def _check_style(params: Params, key: str, policy: PolicyConfig) -> Iterator[str]:
    """Yield the problems of a style, which needs a backbone, stored views, and RGB images that the backbone takes."""
    style, backbone_names = policy.style, ["none", *params.backbones]
    if style.probability > 0 and "strength" not in style.model_fields_set:
        yield f"{key}.style.strength is missing: a style needs a range, such as [0.5, 1.0]"
    if style.backbone not in backbone_names:
        yield format_unknown_ref(f"{key}.style.backbone", style.backbone, "backbones", backbone_names)
    if not style.applies:
        return
    style_backbones = [
        name for name, backbone in params.backbones.items() if backbone.network.partition(".")[0] in STYLE_BACKBONES
    ]
    if style.backbone in backbone_names and style.backbone not in style_backbones:
        yield (
            f"{key}.style.backbone is {style.backbone!r}; allowed with a style: a backbone whose network is "
            f"{' or '.join(STYLE_BACKBONES)} ({', '.join(style_backbones) or 'there is none'})"
        )
    if policy.views == 0:
        yield f"{key}.views is 0; a style is for stored views alone, so: 1 and above"
    if policy.dataset in params.datasets:
        prepare = dict(params.datasets[policy.dataset].prepare)
        if prepare.get("channels") != 3 or prepare["size"] < MIN_BACKBONE_SIZE:
            yield (
                f"{key}.style is for RGB images of at least {MIN_BACKBONE_SIZE}x{MIN_BACKBONE_SIZE} pixels, which "
                f"{policy.dataset!r} does not have; allowed: probability 0"
            )


def check_policy_ref(params: Params, key: str, name: str, dataset: str) -> Iterator[str]:
    """Yield one line for each reason why `key` may not name the policy `name` for images of `dataset`."""
    if name == "none":
        return
    if name not in params.policies:
        yield format_unknown_ref(key, name, "policies", ["none", *params.policies])
    elif params.policies[name].dataset != dataset:
        yield f"{key} is {name!r}, a policy for {params.policies[name].dataset!r}, not for {dataset!r}"
    elif params.policies[name].style.applies:
        yield (
            f"{key} is {name!r}, whose style is for stored views alone; "
            f"a model takes them by inputs: augmented/{name}/views, augmentation: none"
        )


def check_paths(params: Params) -> Iterator[str]:
    """Yield one line for each path that is written as none, or lies where the pipeline writes."""
    for name, dataset in params.datasets.items():
        yield from _check_path_syntax(f"datasets.{name}.path", dataset.path, dataset.kind)
    for name, policy in params.policies.items():
        yield from _check_path_syntax(f"policies.{name}.style.pictures", policy.style.pictures, "pictures")


def check_paths_exist(datasets: Mapping[str, AnyDatasetConfig], policies: Mapping[str, PolicyConfig]) -> Iterator[str]:
    """Yield one line for each path where nothing is, or not what the key needs."""
    for name, dataset in datasets.items():
        if message := check_path_exists(f"datasets.{name}.path", dataset.path, dataset.kind):
            yield message
    for name, policy in policies.items():
        if message := check_path_exists(f"policies.{name}.style.pictures", policy.style.pictures, "pictures"):
            yield message


def check_path_exists(key: str, path: str, kind: str) -> str | None:
    """Return what to say of a path where nothing is, or a file where a folder is needed or the reverse."""
    if kind == "text" and path.startswith(_URL_SCHEMES):
        return None
    local_path = Path(path)
    if not local_path.exists():
        return f"{key} is {path!r}, which {_explain_missing_path(local_path)}"
    if kind == "folder" and not local_path.is_dir():
        return f"{key} is {path!r}, a file; allowed: a folder with one folder of images per class (unpack an archive)"
    if kind in ("catalog", "text", "copy") and local_path.is_dir():
        return f"{key} is {path!r}, a folder; allowed: a file"
    return None


def _explain_missing_path(missing_path: Path) -> str:
    """Return why a path is not here, and a hint."""
    if repo_root() != Path.cwd() and (repo_root() / missing_path).exists():
        return (
            f"is in {repo_root()} but not in the copy that this experiment runs in, for neither git nor DVC tracks it; "
            "`vision check` there says what to do"
        )
    return f"does not exist; {_suggest_path(missing_path)}"


def _suggest_path(missing_path: Path) -> str:
    """Return a hint: what lies beside and has nearly the name."""
    sibling_names = [path.name for path in missing_path.parent.iterdir()] if missing_path.parent.is_dir() else []
    matches = get_close_matches(missing_path.name, sibling_names, n=1)
    return (
        f"did you mean {str(missing_path.parent / matches[0])!r}?"
        if matches
        else "a path counts from the repository's root"
    )


def _check_path_syntax(key: str, path: str, kind: str) -> Iterator[str]:
    if "://" in path and not (kind == "text" and path.startswith(_URL_SCHEMES)):
        allowed = "a file of yours, or an http(s) address" if kind == "text" else "a path on this machine"
        yield f"{key} is {path!r}, an address; allowed: {allowed}, so copy it here first and name the copy"
    elif path.startswith(("~", "$")):
        yield (
            f"{key} is {path!r}; `~` and variables are not filled in: write it in full, such as {_expand_path(path)!r}"
        )
    elif _overlaps_outputs(path):
        yield (
            f"{key} is {path!r}, where the pipeline deletes and writes its own files ({RAW}, {PREPARED}); move yours "
            "to a folder of their own, such as my_images, and name that"
        )


def _expand_path(path: str) -> str:
    expanded = os.path.expandvars(path.replace("~", "$HOME", 1))
    return "/home/me/my_images" if "$" in expanded else expanded


def _overlaps_outputs(path: str) -> bool:
    """Return whether it lies in, or holds, a folder that download and prepare write."""
    absolute, *output_dirs = (Path(os.path.normpath(Path.cwd() / raw_path)) for raw_path in (path, RAW, PREPARED))
    return any(absolute.is_relative_to(folder) or folder.is_relative_to(absolute) for folder in output_dirs)
