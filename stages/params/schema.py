"""What `params.yaml` may say: every key, its type and its range."""

from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

# Names become folders, stage names and MLflow run names: nothing that could leave a folder.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Probability = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, lt=0.9)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]
Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu"]
Widths = Annotated[list[Annotated[int, Field(ge=1, le=65536)]], Field(max_length=64)]


def did_you_mean(word: object, allowed: list[str]) -> str:
    """A hint: the nearest of `allowed`, else all of them."""
    near = get_close_matches(str(word), allowed, n=1)
    return f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(sorted(allowed)) or 'none'}"


def _ordered(pair: list[float]) -> list[float]:
    if pair[0] > pair[1]:
        raise PydanticCustomError("range", "the first number must not be above the second")
    return pair


Range = Annotated[list[float], Field(min_length=2, max_length=2), AfterValidator(_ordered)]


class Strict(BaseModel):
    """A section: unknown keys are refused with the nearest known one, types are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, section: Any) -> Any:
        for key in section if isinstance(section, dict) else ():
            if key not in cls.model_fields:
                hint = did_you_mean(key, list(cls.model_fields))
                raise PydanticCustomError("unknown_key", "unknown key {key}; {hint}", {"key": repr(key), "hint": hint})
        return section


class Data(Strict):
    """What holds for every data set."""

    limit: Annotated[int, Field(ge=0, description="use N images of each set, 0: all of them")]


class Prepare(Strict):
    """How raw images become arrays."""

    size: Annotated[int, Field(ge=4, le=1024, description="height and width, pixels")]
    channels: Literal[1, 3]
    validation: Annotated[Share, Field(description="share of train held out for validation")]
    test: Annotated[Share, Field(description="share held out for test where the source has no test set")]


class Dataset(Strict):
    """Where a data set comes from and how it is prepared."""

    kind: Literal["catalog", "folder"]
    path: Annotated[str, Field(min_length=1, description="the catalogue entry, or your folder of class folders")]
    source: Literal["auto", "official", "mirror", "stand-in"]
    prepare: Prepare


class Rotate(Strict):
    """Rotation by an angle drawn evenly from the range, counter-clockwise."""

    probability: Probability
    degrees: Range


class Scale(Strict):
    """Zoom: a factor of 1.1 scales in by 10 % (the central 1/1.1 fills the frame), 0.9 scales out."""

    probability: Probability
    factor: Range


class Translate(Strict):
    """Shift in pixels; whole pixels are moved exactly, without interpolation."""

    probability: Probability
    right: Range
    up: Range
    whole_pixels: bool


class Noise(Strict):
    """Additive Gaussian noise on [0, 1], clamped."""

    probability: Probability
    std: Range


class Policy(Strict):
    """One augmentation policy, for one data set."""

    dataset: Name
    hflip: Probability
    vflip: Probability
    rot90: Probability
    rotate: Rotate
    scale: Scale
    translate: Translate
    noise: Noise
    fill: Annotated[Literal["zeros", "border", "reflection"], Field(description="what lies outside the image")]
    views: Annotated[int, Field(ge=0, le=100, description="augmented copies per image written to disk")]


class Backbone(Strict):
    """A pretrained network whose features are used frozen."""

    source: Literal["auto", "official", "mirror", "package", "random"]
    batch_size: Positive


class Features(Strict):
    """The features of a data set's images by a backbone."""

    dataset: Name
    backbone: Literal["densenet121", "efficientnet_lite0"]
    augmentation: Annotated[Name, Field(description="policy of views after the first, or none")]
    views: Annotated[int, Field(ge=1, le=100, description="passes over train; the first is the plain image")]


class Train(Strict):
    """How a model is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000)]
    batch_size: Annotated[int, Field(ge=1, le=1_000_000)]
    optimizer: Literal["sgd", "adam", "adamw"]
    lr: Annotated[float, Field(gt=0, le=100)]
    momentum: Annotated[float, Field(ge=0, lt=1, description="of sgd (Nesterov when above 0)")]
    weight_decay: Annotated[float, Field(ge=0, le=10)]
    schedule: Literal["constant", "linear", "cosine", "one-cycle"]
    warmup: Annotated[float, Field(ge=0, lt=1, description="share of the steps with a rising rate")]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    class_weights: Annotated[Literal["none", "balanced"], Field(description="loss weights by class frequency")]
    clip_norm: Annotated[float, Field(ge=0, description="largest gradient norm, 0: no clipping")]
    patience: Annotated[Count, Field(description="epochs without a better validation loss before stopping, 0: never")]


class Model(Strict):
    """What every model says, whatever its architecture."""

    dataset: Name
    inputs: Annotated[str, Field(description="prepared/<data set> or features/<features>")]
    augmentation: Annotated[Name, Field(description="a policy, or none")]
    normalize: Annotated[Literal["standard", "symmetric"], Field(description="train's mean and std, or -1..1")]
    train: Train


class MLP(Model):
    """Fully connected layers; without hidden layers it is logistic regression."""

    architecture: Literal["mlp"]
    hidden: Widths
    activation: Activation
    dropout: Annotated[float, Field(ge=0, lt=1)]
    batch_norm: bool


class CNN(Model):
    """Convolution, activation, max-pool 2x2 per block, then fully connected layers."""

    architecture: Literal["cnn"]
    channels: Annotated[Widths, Field(min_length=1)]
    kernel: Annotated[int, Field(ge=1, le=31)]
    padding: Annotated[int, Field(ge=0, le=15)]
    hidden: Widths
    activation: Activation
    dropout: Annotated[float, Field(ge=0, lt=1)]
    batch_norm: bool


class Transfer(Model):
    """A classifier head on a frozen backbone's features."""

    architecture: Literal["transfer"]
    hidden: Widths
    activation: Activation
    dropout: Annotated[float, Field(ge=0, lt=1)]


AnyModel = Annotated[MLP | CNN | Transfer, Field(discriminator="architecture")]


class Evaluate(Strict):
    """How the test set is reported."""

    bins: Annotated[int, Field(ge=2, le=100, description="of the reliability curve")]
    worst: Annotated[int, Field(ge=1, le=400, description="mistakes drawn")]


class Export(Strict):
    """What an exported model must keep."""

    max_logit_gap: Annotated[float, Field(gt=0, le=1, description="to the fp32 eager model, on the test set")]


class Mlflow(Strict):
    """Where runs are logged; no stage depends on it."""

    experiment: Annotated[str, Field(min_length=1)]
    tracking_uri: Annotated[str, Field(min_length=1, description="auto: sqlite in the repository's root")]


class Params(Strict):
    """The whole of `params.yaml`."""

    seed: Annotated[int, Field(ge=0, lt=2**32)]
    device: Literal["auto", "cuda", "mps", "cpu"]
    precision: Literal["auto", "fp32", "bf16"]
    threads: Annotated[int, Field(ge=0, le=1024, description="CPU threads, 0: one for each core")]
    data: Data
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    policies: dict[Name, Policy]
    backbones: dict[Literal["densenet121", "efficientnet_lite0"], Backbone]
    features: dict[Name, Features]
    models: Annotated[dict[Name, AnyModel], Field(min_length=1)]
    evaluate: Evaluate
    export: Export
    mlflow: Mlflow
