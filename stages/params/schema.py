"""What `params.yaml` may say: every key, its type and its range."""

from difflib import get_close_matches
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

# Names become folders, stage names and MLflow run names: nothing that could leave a folder.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Probability = Annotated[float, Field(ge=0, le=1, description="probability, 0 to 1")]
Share = Annotated[float, Field(gt=0, lt=0.9)]
Activation = Annotated[
    Literal["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu"], Field(description="between the layers")
]
Dropout = Annotated[float, Field(ge=0, lt=1, description="share of activations set to 0 in training")]
BatchNorm = Annotated[bool, Field(description="batch normalisation after each layer but the last")]
Widths = Annotated[list[Annotated[int, Field(ge=1, le=65536)]], Field(max_length=64)]
Hidden = Annotated[Widths, Field(description="sizes of the hidden layers")]
ClassWeights = Annotated[Literal["none", "balanced"], Field(description="loss weights by class frequency")]
DatasetName = Annotated[Name, Field(description="a name in `datasets`")]


def did_you_mean(word: object, allowed: list[str]) -> str:
    """A hint: the nearest of `allowed`, else all of them."""
    near = get_close_matches(str(word), allowed, n=1)
    return f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(sorted(allowed)) or 'none'}"


def _ordered(pair: list[float]) -> list[float]:
    if pair[0] > pair[1]:
        raise PydanticCustomError("range", "two numbers, the first not above the second")
    return pair


_PAIR = Field(min_length=2, max_length=2)
Angles = Annotated[list[Annotated[float, Field(ge=-360, le=360)]], _PAIR, AfterValidator(_ordered)]
Factors = Annotated[list[Annotated[float, Field(ge=0.05, le=20)]], _PAIR, AfterValidator(_ordered)]
Pixels = Annotated[list[Annotated[float, Field(ge=-1024, le=1024)]], _PAIR, AfterValidator(_ordered)]
Deviations = Annotated[list[Annotated[float, Field(ge=0, le=1)]], _PAIR, AfterValidator(_ordered)]


class Strict(BaseModel):
    """A section: unknown keys are refused, types are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Data(Strict):
    """What holds for every data set."""

    limit: Annotated[int, Field(ge=0, description="use N images of each set, 0: all of them")]


class Prepare(Strict):
    """How raw images become arrays."""

    size: Annotated[int, Field(ge=4, le=1024, description="height and width, pixels")]
    channels: Annotated[Literal[1, 3], Field(description="1: grey, 3: RGB")]
    validation: Annotated[Share, Field(description="share of train held out for validation")]
    test: Annotated[Share, Field(description="share held out for test where the source has no test set")]


class Dataset(Strict):
    """Where a data set comes from and how it is prepared."""

    kind: Annotated[Literal["catalog", "folder"], Field(description="folder: a folder of class folders")]
    path: Annotated[str, Field(min_length=1, description="the catalogue entry, or your folder of class folders")]
    source: Annotated[
        Literal["auto", "official", "mirror", "stand-in"], Field(description="auto: mirror, official, stand-in")
    ]
    prepare: Prepare


class Rotate(Strict):
    """Rotation by an angle drawn evenly from the range, counter-clockwise."""

    probability: Probability
    degrees: Annotated[Angles, Field(description="range of the angle, counter-clockwise")]


class Scale(Strict):
    """Zoom: a factor of 1.1 scales in by 10 % (the central 1/1.1 fills the frame), 0.9 scales out."""

    probability: Probability
    factor: Annotated[Factors, Field(description="range of the factor, above 1 zooms in")]


class Translate(Strict):
    """Shift in pixels; whole pixels are moved exactly, without interpolation."""

    probability: Probability
    right: Annotated[Pixels, Field(description="range of the shift to the right, pixels")]
    up: Annotated[Pixels, Field(description="range of the shift upwards, pixels")]
    whole_pixels: Annotated[bool, Field(description="draw whole pixels only")]


class Noise(Strict):
    """Additive Gaussian noise on [0, 1], clamped."""

    probability: Probability
    std: Annotated[Deviations, Field(description="range of the standard deviation, on the scale 0 to 1")]


class Policy(Strict):
    """One augmentation policy, for one data set."""

    dataset: DatasetName
    hflip: Annotated[Probability, Field(description="probability of a left-right flip")]
    alternate_hflip: Annotated[bool, Field(description="flip each image every other epoch, not by chance")]
    vflip: Annotated[Probability, Field(description="probability of a top-bottom flip")]
    rot90: Annotated[Probability, Field(description="probability of a quarter turn clockwise")]
    rotate: Rotate
    scale: Scale
    translate: Translate
    noise: Noise
    fill: Annotated[Literal["zeros", "border", "reflection"], Field(description="what lies outside the image")]
    views: Annotated[int, Field(ge=0, le=100, description="augmented copies per image written to disk")]


class Backbone(Strict):
    """A pretrained network without its classifier."""

    library: Annotated[Literal["torchvision", "timm"], Field(description="the package that has the network")]
    network: Annotated[
        str, Field(min_length=1, description="its name there; name.weights chooses among its published weights")
    ]
    source: Annotated[
        Literal["auto", "official", "mirror", "package", "random"],
        Field(description="of the weights; auto: mirror, package, official, random"),
    ]


class Features(Strict):
    """The features of a data set's images by a backbone."""

    dataset: DatasetName
    backbone: Annotated[Name, Field(description="a name in `backbones`")]
    augmentation: Annotated[Name, Field(description="policy of views after the first, or none")]
    views: Annotated[int, Field(ge=1, le=100, description="passes over train; the first is the plain image")]
    batch_size: Annotated[int, Field(ge=1, le=1_000_000, description="images at a time")]


class Train(Strict):
    """How a model is trained."""

    epochs: Annotated[int, Field(ge=1, le=100_000, description="passes over train")]
    batch_size: Annotated[int, Field(ge=1, le=1_000_000, description="images per step")]
    optimizer: Annotated[
        Literal["sgd", "adam", "adamw", "muon"],
        Field(description="muon: orthogonal steps for hidden layers, sgd for the output layer and the biases"),
    ]
    lr: Annotated[float, Field(gt=0, le=100, description="learning rate at its highest")]
    head_lr: Annotated[float, Field(gt=0, le=100_000, description="of the output layer's weights, times lr")]
    bias_lr: Annotated[float, Field(gt=0, le=100_000, description="of biases and batch norm, times lr")]
    momentum: Annotated[float, Field(ge=0, lt=1, description="of sgd and muon (Nesterov when above 0)")]
    weight_decay: Annotated[float, Field(ge=0, le=10)]
    schedule: Annotated[
        Literal["constant", "linear", "cosine", "one-cycle"], Field(description="of the learning rate, step by step")
    ]
    warmup: Annotated[float, Field(ge=0, lt=1, description="share of the steps with a rising rate")]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    mixup: Annotated[float, Field(ge=0, le=100, description="alpha of mixup, 0: none")]
    cutmix: Annotated[float, Field(ge=0, le=100, description="alpha of CutMix, 0: none")]
    class_weights: ClassWeights
    clip_norm: Annotated[float, Field(ge=0, description="largest gradient norm, 0: no clipping")]
    ema: Annotated[float, Field(ge=0, lt=1, description="decay of the moving average of the weights, 0: none")]
    compile: Annotated[bool, Field(description="by torch.compile; pays on a GPU in minutes, seldom on a CPU")]
    patience: Annotated[int, Field(ge=0, description="epochs without a better validation accuracy, 0: no limit")]


def _falling(numbers: list[float]) -> list[float]:
    if any(before <= after for before, after in pairwise(numbers)):
        raise PydanticCustomError("falling", "numbers that fall, none twice")
    return numbers


class Lbfgs(Strict):
    """Logistic regression at its minimum, for each weight decay; validation chooses among them."""

    optimizer: Annotated[Literal["lbfgs"], Field(description="finds the minimum of the loss over all of train")]
    weight_decays: Annotated[
        list[Annotated[float, Field(ge=0, le=1e6)]],
        Field(min_length=1, max_length=100, description="candidates, the strongest first; each counts as an epoch"),
        AfterValidator(_falling),
    ]
    class_weights: ClassWeights


AnyTrain = Annotated[Train | Lbfgs, Field(discriminator="optimizer", description="the optimizer and its settings")]


class Model(Strict):
    """What every model says, whatever its architecture."""

    dataset: DatasetName
    inputs: Annotated[str, Field(description="prepared/<data set> or features/<features>")]
    augmentation: Annotated[Name, Field(description="a policy, or none")]
    weights: Annotated[Name, Field(description="the backbone whose pretrained weights it starts from, or none")]
    normalize: Annotated[
        Literal["standard", "symmetric", "backbone"],
        Field(description="train's mean and std, -1..1, or what the backbone was pretrained with"),
    ]
    train: AnyTrain


class MLP(Model):
    """Fully connected layers; without hidden layers it is logistic regression."""

    architecture: Annotated[Literal["mlp"], Field(description="the file in stages/models")]
    hidden: Hidden
    activation: Activation
    dropout: Dropout
    batch_norm: BatchNorm


class CNN(Model):
    """Convolution, activation, max-pool 2x2 per block, then fully connected layers."""

    architecture: Annotated[Literal["cnn"], Field(description="the file in stages/models")]
    channels: Annotated[Widths, Field(min_length=1, description="filters of each block")]
    kernel: Annotated[int, Field(ge=1, le=31, description="height and width of the filters, pixels")]
    padding: Annotated[int, Field(ge=0, le=15, description="zeros around each image, pixels")]
    hidden: Hidden
    activation: Activation
    dropout: Dropout
    batch_norm: BatchNorm


class SpeedNet(Model):
    """A CNN without residuals, with a whitening first layer and identity initialisation, that learns fast."""

    architecture: Annotated[Literal["speednet"], Field(description="the file in stages/models")]
    widths: Annotated[Widths, Field(min_length=1, description="filters of each block, which halves the image")]
    convolutions: Annotated[int, Field(ge=1, le=8, description="in each block")]
    activation: Activation


class Transfer(Model):
    """A classifier head on a frozen backbone's features."""

    architecture: Annotated[Literal["transfer"], Field(description="the file in stages/models")]
    hidden: Hidden
    activation: Activation
    dropout: Dropout


class Finetune(Model):
    """A pretrained backbone that trains on, with a linear head; `lr` is the backbone's, times `head_lr` the head's."""

    architecture: Annotated[Literal["finetune"], Field(description="the file in stages/models")]
    unfreeze: Annotated[
        str, Field(min_length=1, description="the backbone's first layer that trains; all: every one, none: the head")
    ]


AnyModel = Annotated[MLP | CNN | SpeedNet | Transfer | Finetune, Field(discriminator="architecture")]


class Evaluate(Strict):
    """How the test set is reported."""

    bins: Annotated[int, Field(ge=2, le=100, description="of the reliability curve")]
    worst: Annotated[int, Field(ge=1, le=400, description="mistakes drawn")]
    tta: Annotated[
        dict[Name, Literal["mirror", "shift", "mirror-shift"]],
        Field(description="by data set, the views of test-time augmentation; its accuracy is reported apart"),
    ]


class Export(Strict):
    """What an exported model must keep."""

    max_logit_gap: Annotated[float, Field(gt=0, le=1, description="to the fp32 eager model, on the test set")]


class Mlflow(Strict):
    """Where runs are logged; no stage depends on it."""

    experiment: Annotated[str, Field(min_length=1, description="the experiment's name")]
    tracking_uri: Annotated[str, Field(min_length=1, description="auto: sqlite in the repository's root")]


class Params(Strict):
    """The whole of `params.yaml`."""

    seed: Annotated[int, Field(ge=0, lt=2**32, description="of initial weights, order and augmentation")]
    device: Annotated[Literal["auto", "cuda", "mps", "cpu"], Field(description="auto: the GPU when there is one")]
    precision: Annotated[Literal["auto", "fp32", "bf16"], Field(description="auto: bf16 where the hardware has it")]
    threads: Annotated[int, Field(ge=0, le=1024, description="CPU threads, 0: one for each core")]
    devices: Annotated[int, Field(ge=0, le=1024, description="processes of one training, 0: one for each GPU")]
    data: Data
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    policies: dict[Name, Policy]
    backbones: dict[Name, Backbone]
    features: dict[Name, Features]
    models: Annotated[dict[Name, AnyModel], Field(min_length=1)]
    evaluate: Evaluate
    export: Export
    mlflow: Mlflow
