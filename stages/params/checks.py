"""What no single key can tell: that the sections of `params.yaml` fit together."""

from collections.abc import Iterator

from stages.params.schema import Params, Policy, did_you_mean


def cross_checks(params: Params) -> Iterator[str]:
    """Yield one line for each place where a key names something that is not there or does not fit."""
    yield from _policies(params)
    yield from _features(params)
    yield from _models(params)


def _unknown(key: str, value: str, section: str, known: list[str]) -> str:
    return f"{key} is {value!r}, which is not in `{section}`; {did_you_mean(value, known)}"


def _policies(params: Params) -> Iterator[str]:
    for name, policy in params.policies.items():
        key = f"policies.{name}"
        if name == "none":
            yield f"{key}: the name `none` is taken (it means no augmentation)"
        if policy.dataset not in params.datasets:
            yield _unknown(f"{key}.dataset", policy.dataset, "datasets", list(params.datasets))
        yield from _ranges(key, policy)


def _ranges(key: str, policy: Policy) -> Iterator[str]:
    if policy.scale.factor[0] < 0.05:
        yield f"{key}.scale.factor starts at {policy.scale.factor[0]}; allowed: 0.05 and above"
    if policy.noise.std[0] < 0:
        yield f"{key}.noise.std starts at {policy.noise.std[0]}; allowed: 0 and above"


def _policy_fits(params: Params, key: str, name: str, dataset: str) -> Iterator[str]:
    if name == "none":
        return
    if name not in params.policies:
        yield _unknown(key, name, "policies", ["none", *params.policies])
    elif params.policies[name].dataset != dataset:
        yield f"{key} is {name!r}, a policy for {params.policies[name].dataset!r}, not for {dataset!r}"


def _features(params: Params) -> Iterator[str]:
    for name, features in params.features.items():
        key = f"features.{name}"
        if features.dataset not in params.datasets:
            yield _unknown(f"{key}.dataset", features.dataset, "datasets", list(params.datasets))
        if features.backbone not in params.backbones:
            yield _unknown(f"{key}.backbone", features.backbone, "backbones", list(params.backbones))
        yield from _policy_fits(params, f"{key}.augmentation", features.augmentation, features.dataset)
        if features.augmentation == "none" and features.views > 1:
            yield f"{key}.views is {features.views}, but without a policy every view is the same; allowed: 1"


def _models(params: Params) -> Iterator[str]:
    for name, model in params.models.items():
        key = f"models.{name}"
        if model.dataset not in params.datasets:
            yield _unknown(f"{key}.dataset", model.dataset, "datasets", list(params.datasets))
            continue
        if model.architecture == "transfer":
            yield from _transfer_inputs(params, key, model.inputs, model.dataset, model.augmentation)
        elif model.inputs != f"prepared/{model.dataset}":
            yield f"{key}.inputs is {model.inputs!r}; allowed for this model: 'prepared/{model.dataset}'"
        yield from _policy_fits(params, f"{key}.augmentation", model.augmentation, model.dataset)


def _transfer_inputs(params: Params, key: str, inputs: str, dataset: str, augmentation: str) -> Iterator[str]:
    fitting = [f"features/{name}" for name, features in params.features.items() if features.dataset == dataset]
    if inputs not in fitting:
        yield f"{key}.inputs is {inputs!r}; {did_you_mean(inputs, fitting)}"
    if augmentation != "none":
        yield f"{key}.augmentation is {augmentation!r}; features are augmented by `features.*.augmentation`, so: 'none'"
