"""The schema of `params.yaml`: all of its sections, and the keys that stand in none."""

from typing import Annotated, Literal

from pydantic import Field

from vision_pipeline.config.data import AnyDatasetConfig, BackboneConfig, DataConfig, FeaturesConfig, PolicyConfig
from vision_pipeline.config.fields import Name, StrictModel
from vision_pipeline.config.models import AnyModelConfig, GeneratorConfig


class EvaluateConfig(StrictModel):
    """The report on the test set."""

    bins: Annotated[int, Field(ge=2, le=100, description="of the reliability curve")]
    worst: Annotated[int, Field(ge=1, le=400, description="mistakes drawn")]
    tta: Annotated[
        dict[Name, Literal["mirror", "shift", "mirror-shift"]],
        Field(
            default_factory=dict,
            description="by data set, the views of test-time augmentation; its accuracy is reported apart",
        ),
    ]


class ExportConfig(StrictModel):
    """Bounds on an exported model."""

    max_logit_gap: Annotated[float, Field(gt=0, le=1, description="to the fp32 eager model, on the test set")]


class ChampionConfig(StrictModel):
    """Which model of a data set MLflow's registry calls its champion."""

    told_apart: Annotated[bool, Field(description="only a difference told apart on the same test items dethrones one")]
    provenance: Annotated[
        list[Literal["official", "variant", "own", "drawn", "stand-in"]],
        Field(description="what data a champion was tested on"),
    ]


class MlflowConfig(StrictModel):
    """Where runs are logged; no stage depends on it."""

    experiment: Annotated[str, Field(min_length=1, description="the experiment's name")]
    tracking_uri: Annotated[str, Field(min_length=1, description="auto: sqlite in the repository's root")]
    champion: ChampionConfig


class Params(StrictModel):
    """The whole of `params.yaml`."""

    seed: Annotated[int, Field(ge=0, lt=2**32, description="of initial weights, order and augmentation")]
    device: Annotated[Literal["auto", "cuda", "mps", "cpu"], Field(description="auto: the GPU when there is one")]
    precision: Annotated[Literal["auto", "fp32", "bf16"], Field(description="auto: bf16 where the hardware has it")]
    threads: Annotated[int, Field(ge=0, le=1024, description="CPU threads, 0: one for each core")]
    deterministic: Annotated[bool, Field(description="the same bits each time; false: the fastest way of a GPU")]
    devices: Annotated[int, Field(ge=0, le=1024, description="processes of one training, 0: one for each GPU")]
    data: DataConfig
    datasets: Annotated[dict[Name, AnyDatasetConfig], Field(min_length=1)]
    policies: dict[Name, PolicyConfig]
    backbones: dict[Name, BackboneConfig]
    features: dict[Name, FeaturesConfig]
    generators: dict[Name, GeneratorConfig]
    models: Annotated[dict[Name, AnyModelConfig], Field(min_length=1)]
    evaluate: EvaluateConfig
    export: ExportConfig
    mlflow: MlflowConfig
