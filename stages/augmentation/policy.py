"""A policy as training uses it: read from `policy.json`, applied to batches."""

from pathlib import Path

from pydantic import ValidationError
from torch import Tensor

from stages.augmentation.draw import draw
from stages.augmentation.ops import augment
from stages.augmentation.steps import Steps
from stages.compute.pixels import to_unit
from stages.params.fields import Strict
from stages.project.console import Refusal
from stages.project.files import read_json

_ALL = slice(None)


class Policy(Strict):
    """What `policy.json` holds.

    Attributes:
        name: of the policy.
        dataset: that it is for; None for the policy `none`, which fits all.
        steps: what it does.
    """

    name: str
    dataset: str | None
    steps: Steps

    @property
    def is_identity(self) -> bool:
        """True when `apply` changes no pixel."""
        return self.steps == Steps()

    def apply(self, pixels: Tensor, rows: Tensor, seed: int, epoch: int, step: int, wanted: slice = _ALL) -> Tensor:
        """Augmented images of a batch; the same for the same key, on every device within 1/255.

        What is drawn is drawn for the whole batch, so `wanted` changes no image.

        Args:
            pixels: uint8 (N, H, W, C), on any device; left unchanged.
            rows: int64 (N,), on the CPU: the images' places in their split.
            seed: `seed` of params.yaml.
            epoch, step: which batch of the training it is.
            wanted: which of the N images.

        Returns:
            float32 (N, C, H, W) on the scale 0 to 1, in channels_last layout, on the same device.
        """
        if self.is_identity:
            return to_unit(pixels[wanted])
        _, height, width, channels = pixels.shape
        drawn = draw(self.steps, rows, (height, width, channels), seed, epoch, step)
        return augment(pixels[wanted], drawn.of(wanted), self.steps.fill or "zeros")


def read_policy(path: Path) -> Policy:
    """Read a `policy.json`.

    Raises:
        Refusal: the file is missing, is not JSON, or holds something else; the message names it.
    """
    try:
        return Policy.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refusal(f"{path} is not a policy: {where}: {first['msg']}; `dvc repro` makes it again") from error
