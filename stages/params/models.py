"""The sections of `models`: what every model says, and what each architecture adds."""

from typing import Annotated, Literal

from pydantic import Field

from stages.params.fields import (
    Activation,
    BatchNorm,
    DatasetName,
    Dropout,
    Hidden,
    Initialization,
    Name,
    Seeds,
    Strict,
    Widths,
)
from stages.params.training import AnyTrain


class Model(Strict):
    """What every model says, whatever its architecture."""

    dataset: DatasetName
    inputs: Annotated[str, Field(description="prepared/<data set>, augmented/<policy>/views or features/<features>")]
    fraction: Annotated[float, Field(gt=0, le=1, description="share of the training images used")]
    augmentation: Annotated[Name, Field(description="a policy, or none")]
    synthetic: Annotated[Name, Field(description="the generator whose images join the training images, or none")]
    seeds: Annotated[
        Seeds,
        Field(max_length=100, description="it is trained with each, and the first is the model; []: with `seed`"),
    ]
    weights: Annotated[Name, Field(description="the backbone whose pretrained weights it starts from, or none")]
    normalize: Annotated[
        Literal["standard", "symmetric", "unit", "backbone"],
        Field(description="train's mean and std, -1..1, 0..1, or what the backbone was pretrained with"),
    ]
    train: AnyTrain


class MLP(Model):
    """Fully connected layers; without hidden layers it is logistic regression."""

    architecture: Annotated[Literal["mlp"], Field(description="the file in stages/models")]
    hidden: Hidden
    activation: Activation
    dropout: Dropout
    batch_norm: BatchNorm
    initialization: Initialization


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
    initialization: Initialization


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


class Recurrent(Model):
    """A recurrent network: of a text the next symbol at each step, of sequences and of an image's rows the class."""

    architecture: Annotated[Literal["recurrent"], Field(description="the file in stages/models")]
    cell: Annotated[
        Literal["elman", "lstm", "gru", "none"], Field(description="what carries the state; none: it remembers nothing")
    ]
    hidden: Annotated[int, Field(ge=1, le=65536, description="numbers in a layer's state")]
    layers: Annotated[int, Field(ge=1, le=64, description="cells, each of which reads the one before")]
    forget_bias: Annotated[float, Field(ge=-20, le=20, description="of an LSTM's forget gates at the start")]
    input_bias: Annotated[float, Field(ge=-20, le=20, description="of an LSTM's input gates at the start; 0: drawn")]
    dropout: Dropout
    steps: Annotated[int, Field(ge=0, le=100_000, description="symbols of a text that the gradient goes back; else 0")]


AnyModel = Annotated[MLP | CNN | SpeedNet | Transfer | Finetune | Recurrent, Field(discriminator="architecture")]
