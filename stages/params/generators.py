"""The section `generators`: GANs whose images join a model's training images."""

from typing import Annotated

from pydantic import Field

from stages.params.fields import DatasetName, Name, Strict


class Gan(Strict):
    """The two networks and how they are trained."""

    width: Annotated[int, Field(ge=1, le=4096, description="filters of the layers next to the image")]
    latent: Annotated[int, Field(ge=1, le=65536, description="numbers of noise that an image is made of")]
    steps: Annotated[int, Field(ge=1, le=10_000_000, description="updates of either network")]
    batch_size: Annotated[int, Field(ge=2, le=100_000, description="real images per step, and as many made ones")]
    lr: Annotated[float, Field(gt=0, le=1, description="learning rate of either network")]


class Generator(Strict):
    """A class-conditional GAN of a data set's training images, and the images that it makes."""

    dataset: DatasetName
    fraction: Annotated[float, Field(gt=0, le=1, description="share of the training images that it learns from")]
    per_class: Annotated[int, Field(ge=1, le=100_000, description="images to make of each class")]
    grader: Annotated[Name, Field(description="the model that tells whether its images show their class")]
    gan: Gan
