"""The section `train` of a model: by the loop, or by L-BFGS."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from stages.params.fields import ClassWeights, Strict


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
