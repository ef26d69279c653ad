"""What the sections of `params.yaml` are made of: kinds of values, and a section that refuses what it does not know."""

from difflib import get_close_matches
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

# Names become folders, stage names and MLflow run names: nothing that could leave a folder.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Probability = Annotated[float, Field(ge=0, le=1, description="probability, 0 to 1")]
Fraction = Annotated[float, Field(gt=0, lt=0.9)]
FractionOrZero = Annotated[float, Field(ge=0, lt=0.9)]
Activation = Annotated[
    Literal["relu", "leaky_relu", "sigmoid", "tanh", "gelu", "silu"], Field(description="between the layers")
]
DropoutProbability = Annotated[float, Field(ge=0, lt=1, description="share of activations set to 0 in training")]
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
    """Return a hint: the nearest of `allowed`, else all of them."""
    matches = get_close_matches(str(word), allowed, n=1)
    return f"did you mean {matches[0]!r}?" if matches else f"allowed: {', '.join(sorted(allowed)) or 'none'}"


def format_problem(details: Any) -> str:
    """Return one of pydantic's error details as "where: message"."""
    return f"{'.'.join(map(str, details['loc'])) or 'the file'}: {details['msg']}"


def format_unknown_ref(key: str, value: str, section: str, allowed: list[str]) -> str:
    """Return the problem of a key that names something that its section lacks."""
    return f"{key} is {value!r}, which is not in `{section}`; {did_you_mean(value, allowed)}"


def _require_ordered(pair: list[float]) -> list[float]:
    if pair[0] > pair[1]:
        raise PydanticCustomError("range", "two numbers, the first not above the second")
    return pair


def _require_distinct(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise PydanticCustomError("seeds", "different seeds; the same one again would tell nothing of chance")
    return seeds


Seeds = Annotated[list[Annotated[int, Field(ge=0, lt=2**32)]], AfterValidator(_require_distinct)]
_PAIR_LENGTH = Field(min_length=2, max_length=2)
AngleRange = Annotated[list[Annotated[float, Field(ge=-360, le=360)]], _PAIR_LENGTH, AfterValidator(_require_ordered)]
ScaleRange = Annotated[list[Annotated[float, Field(ge=0.05, le=20)]], _PAIR_LENGTH, AfterValidator(_require_ordered)]
PixelRange = Annotated[list[Annotated[float, Field(ge=-1024, le=1024)]], _PAIR_LENGTH, AfterValidator(_require_ordered)]
FractionRange = Annotated[list[Annotated[float, Field(ge=0, le=1)]], _PAIR_LENGTH, AfterValidator(_require_ordered)]
StdRange = Annotated[list[Annotated[float, Field(ge=0, le=1)]], _PAIR_LENGTH, AfterValidator(_require_ordered)]


class StrictModel(BaseModel):
    """A section: unknown keys are refused, types are not coerced."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)
