"""The sections on data: the sets, their augmentation, and features of them by pretrained backbones."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from vision_pipeline.config.fields import (
    AngleRange,
    DatasetName,
    Fraction,
    FractionOrZero,
    FractionRange,
    Name,
    PixelRange,
    Probability,
    ScaleRange,
    StdRange,
    StrictModel,
)


class DataConfig(StrictModel):
    """Settings of all data sets together."""

    limit: Annotated[int, Field(ge=0, description="use N images of each set (lines; sequences of each split), 0: all")]


class PrepareImagesConfig(StrictModel):
    """The preparation of images: raw files to arrays."""

    size: Annotated[int, Field(ge=4, le=1024, description="height and width, pixels")]
    channels: Annotated[Literal[1, 3], Field(description="1: grey, 3: RGB")]
    validation: Annotated[Fraction, Field(description="share of train held out for validation")]
    test: Annotated[Fraction, Field(description="share held out for test where the source has no test set")]


class PrepareTextConfig(StrictModel):
    """The preparation of a text as symbols; where a share is 0, that split is the training text itself."""

    validation: Annotated[FractionOrZero, Field(description="share of the text held out for validation, before test")]
    test: Annotated[FractionOrZero, Field(description="share of the text held out for test, at its end")]


class PrepareCopyConfig(StrictModel):
    """The drawing of sequences whose first symbol is the answer."""

    length: Annotated[int, Field(ge=1, le=10_000, description="symbols of a sequence, the first one included")]


def _choose_prepare_tag(prepare: Any) -> str:
    """Return what a catalogue entry is prepared as: a text has no pixels to count."""
    keys = prepare if isinstance(prepare, dict) else dict(prepare) if isinstance(prepare, StrictModel) else {}
    return "images" if {"size", "channels"} & set(keys) else "text"


class DatasetConfig(StrictModel):
    """Where a data set comes from."""

    path: Annotated[str, Field(min_length=1, description="the catalogue entry, your folder, text or its http(s) URL")]
    source: Annotated[
        Literal["auto", "official", "mirror", "stand-in"], Field(description="auto: mirror, official, stand-in")
    ]


class CatalogDatasetConfig(DatasetConfig):
    """A public data set of images, or a public text."""

    kind: Annotated[Literal["catalog"], Field(description="what `path` names")]
    prepare: Annotated[
        Annotated[PrepareImagesConfig, Tag("images")] | Annotated[PrepareTextConfig, Tag("text")],
        Field(discriminator=Discriminator(_choose_prepare_tag), description="with size and channels: of images"),
    ]


class FolderDatasetConfig(DatasetConfig):
    """Your own images, in a folder of class folders."""

    kind: Annotated[Literal["folder"], Field(description="what `path` names")]
    prepare: PrepareImagesConfig


class TextDatasetConfig(DatasetConfig):
    """Your own text, UTF-8."""

    kind: Annotated[Literal["text"], Field(description="what `path` names")]
    prepare: PrepareTextConfig


class CopyDatasetConfig(DatasetConfig):
    """Sequences drawn by the project, whose first symbol is to be answered at their end."""

    kind: Annotated[Literal["copy"], Field(description="what `path` names")]
    prepare: PrepareCopyConfig


AnyDatasetConfig = Annotated[
    CatalogDatasetConfig | FolderDatasetConfig | TextDatasetConfig | CopyDatasetConfig, Field(discriminator="kind")
]


class RotateConfig(StrictModel):
    """Rotation by an angle drawn evenly from the range, counter-clockwise."""

    probability: Probability
    degrees: Annotated[AngleRange, Field(description="range of the angle, counter-clockwise")]


class ScaleConfig(StrictModel):
    """Zoom: a factor of 1.1 scales in by 10 % (the central 1/1.1 fills the frame), 0.9 scales out."""

    probability: Probability
    factor: Annotated[ScaleRange, Field(description="range of the factor, above 1 zooms in")]


class TranslateConfig(StrictModel):
    """Shift in pixels; whole pixels are moved exactly, without interpolation."""

    probability: Probability
    right: Annotated[PixelRange, Field(description="range of the shift to the right, pixels")]
    up: Annotated[PixelRange, Field(description="range of the shift upwards, pixels")]
    whole_pixels: Annotated[bool, Field(description="draw whole pixels only")] = False


class NoiseConfig(StrictModel):
    """Additive Gaussian noise on [0, 1], clamped."""

    probability: Probability
    std: Annotated[StdRange, Field(description="range of the standard deviation, on the scale 0 to 1")]


class StyleConfig(StrictModel):
    """The look of a style picture, by a backbone; minutes for a data set, so in stored views alone."""

    probability: Probability = 0.0
    strength: Annotated[
        FractionRange,
        Field(
            default_factory=lambda: [0.0, 0.0],
            description="range of the strength: 0 keeps the look, 1 takes the picture's",
        ),
    ]
    backbone: Annotated[Name, Field(description="a name in `backbones`, or none where no style is applied")]
    pictures: Annotated[
        str, Field(min_length=1, description="the catalogue of pictures to draw, or your own folder of pictures")
    ]

    @property
    def applies(self) -> bool:
        """Whether it can change an image."""
        return self.probability > 0 and self.strength != [0, 0]


class PolicyConfig(StrictModel):
    """One augmentation policy, for one data set."""

    dataset: DatasetName
    hflip: Annotated[Probability, Field(description="probability of a left-right flip")] = 0.0
    alternate_hflip: Annotated[bool, Field(description="flip each image every other epoch, not by chance")] = False
    vflip: Annotated[Probability, Field(description="probability of a top-bottom flip")] = 0.0
    rot90: Annotated[Probability, Field(description="probability of a quarter turn clockwise")] = 0.0
    rotate: RotateConfig = RotateConfig(probability=0.0, degrees=[0.0, 0.0])
    scale: ScaleConfig = ScaleConfig(probability=0.0, factor=[1.0, 1.0])
    translate: TranslateConfig = TranslateConfig(probability=0.0, right=[0.0, 0.0], up=[0.0, 0.0])
    noise: NoiseConfig = NoiseConfig(probability=0.0, std=[0.0, 0.0])
    style: StyleConfig
    fill: Annotated[Literal["zeros", "border", "reflection"], Field(description="what lies outside the image")]
    views: Annotated[int, Field(ge=0, le=100, description="augmented copies per image written to disk")] = 0


class BackboneConfig(StrictModel):
    """A pretrained network without its classifier."""

    library: Annotated[Literal["torchvision", "timm"], Field(description="the package that has the network")]
    network: Annotated[
        str, Field(min_length=1, description="its name there; name.weights chooses among its published weights")
    ]
    source: Annotated[
        Literal["auto", "official", "mirror", "package", "random"],
        Field(description="of the weights; auto: mirror, package, official, random"),
    ]


class FeaturesConfig(StrictModel):
    """The features of a data set's images by a backbone."""

    dataset: DatasetName
    backbone: Annotated[Name, Field(description="a name in `backbones`")]
    augmentation: Annotated[Name, Field(description="policy of views after the first, or none")]
    views: Annotated[int, Field(ge=1, le=100, description="passes over train; the first is the plain image")] = 1
    batch_size: Annotated[int, Field(ge=1, le=1_000_000, description="images at a time")]
