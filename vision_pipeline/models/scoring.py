"""Predictions of a checkpoint's model for stored inputs."""

import numpy as np

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.models.checkpoint import Checkpoint, build_from_checkpoint, build_with_preprocessing
from vision_pipeline.runtime.device import Runtime, cpu_slot_for
from vision_pipeline.runtime.inference import predict_logits
from vision_pipeline.runtime.tta import TTAModel


def predict_checkpoint(
    checkpoint: Checkpoint, inputs: np.ndarray, *, are_features: bool, runtime: Runtime, tta: str
) -> np.ndarray:
    """Compute the logits, with a progress bar.

    Args:
        checkpoint: of the model.
        inputs: as they are stored: pixels, symbols or features.
        are_features: True of features, which are standardised here.
        runtime: to compute on.
        tta: the test-time augmentation that the logits are averaged over; "" for the image alone.

    Returns:
        float32 (N, classes).

    Raises:
        ArtifactError: as `build_with_preprocessing`; or a logit is not finite.
    """
    if are_features:
        mean, std = (np.array(checkpoint.normalize[key], np.float32) for key in ("mean", "std"))
        inputs = (inputs.astype(np.float32) - mean) / std
    network = build_from_checkpoint(checkpoint) if are_features else build_with_preprocessing(checkpoint)
    network = TTAModel(network, tta) if tta else network
    with cpu_slot_for(network, runtime):
        logits: np.ndarray = predict_logits(
            network.to(runtime.device), inputs, runtime, description="evaluating"
        ).numpy()
    if not np.isfinite(logits).all():
        raise ArtifactError(f"{checkpoint.name} gives scores that are not finite; train it with a lower lr")
    return logits
