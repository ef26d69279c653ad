"""A model as one network from pixels on, for its layers: a head stands behind the backbone that it was trained on."""

from pathlib import Path

from torch import nn

from stages.models.checkpoint import Checkpoint, rebuild
from stages.project.files import read_json


def whole(checkpoint: Checkpoint, inputs: Path) -> nn.Module:
    """The network of a checkpoint, with its backbone in front where `inputs` are a backbone's features.

    The backbone's weights are random: it is there for its layers alone. `stages/export.py` joins it with its own.

    Raises:
        Refusal: as `rebuild`; or `backbone.json` of the features is missing.
    """
    network = rebuild(checkpoint)
    if checkpoint.architecture != "transfer":
        return network
    from stages.models.backbones import backbone  # only transfer models need it
    from stages.models.transfer import join

    about = read_json(inputs / "backbone.json")
    body = backbone(about["library"], about["network"])
    return join(body, checkpoint.normalize["mean"], checkpoint.normalize["std"], network)
