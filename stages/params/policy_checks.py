"""That augmentation policies fit the data sets, and whatever names one fits its policy."""

from collections.abc import Iterator
from math import ceil, floor

from stages.params.data import Policy, Translate
from stages.params.fields import unknown
from stages.params.schema import Params
from stages.params.symbol_checks import no_images

SMALLEST = 32  # pixels of height and width that a backbone takes
STYLED = ("tf_efficientnet_lite0", "vgg19")  # networks whose layers for style are known (stages/models/taps.py)


def policy_checks(params: Params) -> Iterator[str]:
    """Yield one line for each reason why a policy does not fit."""
    for name, policy in params.policies.items():
        key = f"policies.{name}"
        if name == "none":
            yield f"{key}: the name `none` is taken (it means no augmentation)"
        if policy.dataset not in params.datasets:
            yield unknown(f"{key}.dataset", policy.dataset, "datasets", list(params.datasets))
        if other := no_images(params, policy.dataset):
            yield f"{key}.dataset is {policy.dataset!r}, {other}; augmentation is for images"
        yield from _whole_shifts(f"{key}.translate", policy.translate)
        yield from _style(params, key, policy)


def _whole_shifts(key: str, shift: Translate) -> Iterator[str]:
    for direction, (low, high) in (("right", shift.right), ("up", shift.up)):
        if shift.whole_pixels and ceil(low) > floor(high):
            yield f"{key}.{direction} is {[low, high]}; allowed: a range with a whole number, or whole_pixels: false"


def _style(params: Params, key: str, policy: Policy) -> Iterator[str]:
    """A style needs a backbone, a place for what it makes, and RGB images that the backbone can take."""
    style, known = policy.style, ["none", *params.backbones]
    if style.backbone not in known:
        yield unknown(f"{key}.style.backbone", style.backbone, "backbones", known)
    if not style.applies:
        return
    fitting = [name for name, backbone in params.backbones.items() if backbone.network.partition(".")[0] in STYLED]
    if style.backbone in known and style.backbone not in fitting:
        allowed = f"a backbone whose network is {' or '.join(STYLED)} ({', '.join(fitting) or 'there is none'})"
        yield f"{key}.style.backbone is {style.backbone!r}; allowed with a style: {allowed}"
    if policy.views == 0:
        yield f"{key}.views is 0; a style is for stored views alone, so: 1 and above"
    if policy.dataset in params.datasets:
        prepare = dict(params.datasets[policy.dataset].prepare)
        if prepare.get("channels") != 3 or prepare["size"] < SMALLEST:
            yield (
                f"{key}.style is for RGB images of at least {SMALLEST}x{SMALLEST} pixels, which {policy.dataset!r} "
                "does not have; allowed: probability 0"
            )


def policy_fits(params: Params, key: str, name: str, dataset: str) -> Iterator[str]:
    """Yield one line for each reason why `key` may not name the policy `name` for images of `dataset`."""
    if name == "none":
        return
    if name not in params.policies:
        yield unknown(key, name, "policies", ["none", *params.policies])
    elif params.policies[name].dataset != dataset:
        yield f"{key} is {name!r}, a policy for {params.policies[name].dataset!r}, not for {dataset!r}"
    elif params.policies[name].style.applies:
        yield (
            f"{key} is {name!r}, whose style is for stored views alone; "
            f"a model takes them by inputs: augmented/{name}/views, augmentation: none"
        )
