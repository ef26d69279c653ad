"""What a checkpoint's model says of stored inputs."""

import numpy as np

from stages.compute.device import Machine
from stages.compute.inference import outputs
from stages.compute.turns import turn_for
from stages.compute.views import Averaged
from stages.models.checkpoint import Checkpoint, from_stored, rebuild
from stages.project.console import Refusal


def logits_of(checkpoint: Checkpoint, inputs: np.ndarray, features: bool, machine: Machine, views: str) -> np.ndarray:
    """float32 (N, classes), with a progress bar.

    Args:
        checkpoint: of the model.
        inputs: as they are stored: pixels, symbols or features.
        features: whether they are features, which the network takes standardised.
        machine: to compute on.
        views: of each image that the logits are averaged over; "" for the image alone.

    Raises:
        Refusal: as `from_stored`; or a logit is not finite.
    """
    if features:
        mean, std = (np.array(checkpoint.normalize[key], np.float32) for key in ("mean", "std"))
        inputs = (inputs.astype(np.float32) - mean) / std
    network = rebuild(checkpoint) if features else from_stored(checkpoint)
    network = Averaged(network, views) if views else network
    with turn_for(network, machine):
        logits: np.ndarray = outputs(network.to(machine.device), inputs, machine, what="evaluating").numpy()
    if not np.isfinite(logits).all():
        raise Refusal(f"{checkpoint.name} gives scores that are not finite; train it with a lower lr")
    return logits
