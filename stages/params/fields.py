"""What the sections of `params.yaml` are made of: kinds of values, and a section that refuses what it does not know."""

from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

# Names become folders, stage names and MLflow run names: nothing that could leave a folder.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Probability = Annotated[float, Field(ge=0, le=1, description="probability, 0 to 1")]
Share = Annotated[float, Field(gt=0, lt=0.9)]
ShareOrNone = Annotated[float, Field(ge=0, lt=0.9)]
Activation = Annotated[
    Literal["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu"], Field(description="between the layers")
]
Dropout = Annotated[float, Field(ge=0, lt=1, description="share of activations set to 0 in training")]
BatchNorm = Annotated[bool, Field(description="batch normalisation after each layer but the last")]
Initialization = Annotated[
    Literal["default", "zeros", "ones", "uniform", "uniform-half", "uniform-fan-in", "normal-fan-in"],
    Field(description="of the weights; default: torch's"),
]
Widths = Annotated[list[Annotated[int, Field(ge=1, le=65536)]], Field(max_length=64)]
Hidden = Annotated[Widths, Field(description="sizes of the hidden layers")]
ClassWeights = Annotated[Literal["none", "balanced"], Field(description="loss weights by class frequency")]
DatasetName = Annotated[Name, Field(description="a name in `datasets`")]


def did_you_mean(word: object, allowed: list[str]) -> str:
    """A hint: the nearest of `allowed`, else all of them."""
    near = get_close_matches(str(word), allowed, n=1)
    return f"did you mean {near[0]!r}?" if near else f"allowed: {', '.join(sorted(allowed)) or 'none'}"


def unknown(key: str, value: str, section: str, known: list[str]) -> str:
    """What is wrong with a key that names something that its section lacks."""
    return f"{key} is {value!r}, which is not in `{section}`; {did_you_mean(value, known)}"


def _ordered(pair: list[float]) -> list[float]:
    if pair[0] > pair[1]:
        raise PydanticCustomError("range", "two numbers, the first not above the second")
    return pair


def _different(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise PydanticCustomError("seeds", "different seeds; the same one again would tell nothing of chance")
    return seeds


Seeds = Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], AfterValidator(_different)]
_PAIR = Field(min_length=2, max_length=2)
Angles = Annotated[list[Annotated[float, Field(ge=-360, le=360)]], _PAIR, AfterValidator(_ordered)]
Factors = Annotated[list[Annotated[float, Field(ge=0.05, le=20)]], _PAIR, AfterValidator(_ordered)]
Pixels = Annotated[list[Annotated[float, Field(ge=-1024, le=1024)]], _PAIR, AfterValidator(_ordered)]
Shares = Annotated[list[Annotated[float, Field(ge=0, le=1)]], _PAIR, AfterValidator(_ordered)]
Deviations = Annotated[list[Annotated[float, Field(ge=0, le=1)]], _PAIR, AfterValidator(_ordered)]


class Strict(BaseModel):
    """A section: unknown keys are refused, types are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
