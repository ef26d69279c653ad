"""The sections `models` and `generators` of `params.yaml`.

A key whose value can mean "nothing happens" has that value as its default, and no other key has one: absent means off.
The fingerprint of a training leaves such values out, so a key that is added later changes no existing training.
"""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from vision_pipeline.config.fields import (
    Activation,
    BatchNorm,
    ClassWeights,
    DatasetName,
    DropoutProbability,
    Hidden,
    Initialization,
    Name,
    Seeds,
    StrictModel,
    Widths,
)


class TrainConfig(StrictModel):
    """The training of a model by gradient steps."""

    epochs: Annotated[int, Field(ge=1, le=100_000, description="passes over train")]
    batch_size: Annotated[int, Field(ge=1, le=1_000_000, description="images per step")]
    optimizer: Annotated[
        Literal["sgd", "adam", "adamw", "muon"],
        Field(description="muon: orthogonal steps for hidden layers, sgd for the output layer and the biases"),
    ]
    lr: Annotated[float, Field(gt=0, le=100, description="learning rate at its highest")]
    head_lr: Annotated[
        float, Field(gt=0, le=100_000, description="learning rate of the output layer's weights, times lr")
    ] = 1.0
    bias_lr: Annotated[
        float, Field(gt=0, le=100_000, description="learning rate of biases and batch norm, times lr")
    ] = 1.0
    momentum: Annotated[float, Field(ge=0, lt=1, description="momentum of sgd and muon, Nesterov's when above 0")] = 0.0
    weight_decay: Annotated[float, Field(ge=0, le=10, description="pull of the weights to zero")] = 0.0
    schedule: Annotated[
        Literal["constant", "linear", "cosine", "one-cycle"],
        Field(description="course of the learning rate, step by step"),
    ]
    warmup: Annotated[float, Field(ge=0, lt=1, description="share of the steps with a rising rate")] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1, description="share of the target spread over all classes")] = (
        0.0
    )
    mixup: Annotated[float, Field(ge=0, le=100, description="alpha of mixup, 0: none")] = 0.0
    cutmix: Annotated[float, Field(ge=0, le=100, description="alpha of CutMix, 0: none")] = 0.0
    class_weights: ClassWeights = "none"
    clip_norm: Annotated[float, Field(ge=0, description="largest gradient norm, 0: no clipping")] = 0.0
    ema: Annotated[float, Field(ge=0, lt=1, description="decay of the moving average of the weights, 0: none")] = 0.0
    compile: Annotated[
        bool, Field(description="compile the step by torch.compile; pays on a GPU in minutes, seldom on a CPU")
    ] = False
    patience: Annotated[int, Field(ge=0, description="epochs without a better validation accuracy, 0: no limit")] = 0


def _require_decreasing(numbers: list[float]) -> list[float]:
    if any(before <= after for before, after in pairwise(numbers)):
        raise PydanticCustomError("falling", "numbers that fall, none twice")
    return numbers


class LbfgsConfig(StrictModel):
    """Logistic regression at its minimum, for each weight decay; validation chooses among them."""

    optimizer: Annotated[Literal["lbfgs"], Field(description="finds the minimum of the loss over all of train")]
    weight_decays: Annotated[
        list[Annotated[float, Field(ge=0, le=1e6)]],
        Field(min_length=1, max_length=100, description="candidates, the strongest first; each counts as an epoch"),
        AfterValidator(_require_decreasing),
    ]
    class_weights: ClassWeights = "none"


AnyTrainConfig = Annotated[
    TrainConfig | LbfgsConfig, Field(discriminator="optimizer", description="the optimizer and its settings")
]


class ModelConfig(StrictModel):
    """The keys of every model, whatever its architecture."""

    dataset: DatasetName
    inputs: Annotated[str, Field(description="prepared/<data set>, augmented/<policy>/views or features/<features>")]
    fraction: Annotated[float, Field(gt=0, le=1, description="share of the training images used")] = 1.0
    augmentation: Annotated[Name, Field(description="a policy, or none")]
    synthetic: Annotated[Name, Field(description="the generator whose images join the training images, or none")]
    seeds: Annotated[
        Seeds,
        Field(
            default_factory=list,
            max_length=100,
            description="seeds to train it with; the first one is the model; []: `seed` alone",
        ),
    ]
    weights: Annotated[Name, Field(description="the backbone whose pretrained weights it starts from, or none")]
    normalize: Annotated[
        Literal["standard", "symmetric", "unit", "backbone"],
        Field(description="train's mean and std, -1..1, 0..1, or what the backbone was pretrained with"),
    ]
    train: AnyTrainConfig


class MLPConfig(ModelConfig):
    """Fully connected layers; without hidden layers it is logistic regression."""

    architecture: Annotated[Literal["mlp"], Field(description="the file in vision_pipeline/models")]
    hidden: Hidden
    activation: Activation
    dropout: DropoutProbability = 0.0
    batch_norm: BatchNorm = False
    initialization: Initialization = "default"


class CNNConfig(ModelConfig):
    """Convolution, activation, max-pool 2x2 per block, then fully connected layers."""

    architecture: Annotated[Literal["cnn"], Field(description="the file in vision_pipeline/models")]
    channels: Annotated[Widths, Field(min_length=1, description="filters of each block")]
    kernel: Annotated[int, Field(ge=1, le=31, description="height and width of the filters, pixels")]
    padding: Annotated[int, Field(ge=0, le=15, description="zeros around each image, pixels")]
    hidden: Hidden
    activation: Activation
    dropout: DropoutProbability = 0.0
    batch_norm: BatchNorm = False
    initialization: Initialization = "default"


class SpeedNetConfig(ModelConfig):
    """A CNN without residuals, with a whitening first layer and identity initialisation, that learns fast."""

    architecture: Annotated[Literal["speednet"], Field(description="the file in vision_pipeline/models")]
    widths: Annotated[Widths, Field(min_length=1, description="filters of each block, which halves the image")]
    convolutions: Annotated[int, Field(ge=1, le=8, description="in each block")]
    activation: Activation


class TransferConfig(ModelConfig):
    """A classifier head on a frozen backbone's features."""

    architecture: Annotated[Literal["transfer"], Field(description="the file in vision_pipeline/models")]
    hidden: Hidden
    activation: Activation
    dropout: DropoutProbability = 0.0


class FinetuneConfig(ModelConfig):
    """A pretrained backbone that trains on, with a linear head; `lr` is the backbone's, times `head_lr` the head's."""

    architecture: Annotated[Literal["finetune"], Field(description="the file in vision_pipeline/models")]
    unfreeze: Annotated[
        str, Field(min_length=1, description="the backbone's first layer that trains; all: every one, none: the head")
    ]


class RecurrentConfig(ModelConfig):
    """A recurrent network: of a text the next symbol at each step, of sequences and of an image's rows the class."""

    architecture: Annotated[Literal["recurrent"], Field(description="the file in vision_pipeline/models")]
    cell: Annotated[
        Literal["elman", "lstm", "gru", "none"], Field(description="what carries the state; none: it remembers nothing")
    ]
    hidden: Annotated[int, Field(ge=1, le=65536, description="numbers in a layer's state")]
    layers: Annotated[int, Field(ge=1, le=64, description="cells, each of which reads the one before")]
    forget_bias: Annotated[float, Field(ge=-20, le=20, description="bias of an LSTM's forget gates at the start")]
    input_bias: Annotated[
        float, Field(ge=-20, le=20, description="bias of an LSTM's input gates at the start; 0: drawn")
    ] = 0.0
    dropout: DropoutProbability = 0.0
    steps: Annotated[
        int, Field(ge=0, le=100_000, description="symbols of a text that the gradient goes back; else 0")
    ] = 0


AnyModelConfig = Annotated[
    MLPConfig | CNNConfig | SpeedNetConfig | TransferConfig | FinetuneConfig | RecurrentConfig,
    Field(discriminator="architecture"),
]


class GanConfig(StrictModel):
    """The two networks and how they are trained."""

    width: Annotated[int, Field(ge=1, le=4096, description="filters of the layers next to the image")]
    latent: Annotated[int, Field(ge=1, le=65536, description="numbers of noise that an image is made of")]
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="updates of either network")]
    batch_size: Annotated[int, Field(ge=2, le=100_000, description="real images per step, and as many made ones")]
    lr: Annotated[float, Field(gt=0, le=1, description="learning rate of either network")]


class GeneratorConfig(StrictModel):
    """A class-conditional GAN of a data set's training images, and the images that it makes."""

    dataset: DatasetName
    fraction: Annotated[float, Field(gt=0, le=1, description="share of the training images that it learns from")]
    per_class: Annotated[int, Field(ge=1, le=100_000, description="images to make of each class")]
    grader: Annotated[Name, Field(description="the model that tells whether its images show their class")]
    gan: GanConfig
