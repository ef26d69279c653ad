"""Batch norms fused into the convolutions before them: the same function of a frozen network, computed faster.

Source: Jacob et al., Quantization and Training of Neural Networks, arXiv 1712.05877, section 3.2.
"""

from copy import deepcopy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from vision_pipeline.core.logging import logger

_MAX_RELATIVE_ERROR = 1e-3  # of the largest output: the rounding of single precision


def fuse_conv_bn(network: nn.Module, images: Tensor) -> nn.Module:
    """Return a copy of `network`, in evaluation mode, without the batch norms that follow a convolution.

    In most networks a norm that is registered right after a convolution also runs right after it. Norms that run before
    their convolution, as in DenseNet's layers, stay. If the outputs for `images` differ, all norms stay.

    Args:
        network: it is not changed.
        images: float (N, 3, H, W), to compare the outputs with.
    """
    network = deepcopy(network).eval().requires_grad_(False)
    fused = _fuse_modules(deepcopy(network))
    with torch.inference_mode():
        expected, actual = network(images), fused(images)
    outputs_match = (actual - expected).abs().max() <= _MAX_RELATIVE_ERROR * expected.abs().max()
    if not outputs_match:
        logger.debug(f"{type(network).__name__} keeps its batch norms: without them its outputs differ")
    return fused if outputs_match else network


def _fuse_modules(network: nn.Module) -> nn.Module:
    """Fuse the pairs of convolution and norm that are registered one after the other, in place."""
    for module in list(network.modules()):
        for (conv_name, conv), (norm_name, norm) in pairwise(module.named_children()):
            if not (isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)):
                continue
            if conv.out_channels == norm.num_features:
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                activation = getattr(norm, "act", nn.Identity())  # timm's norms hold their activation
                if hasattr(activation, "inplace"):
                    activation.inplace = True  # nothing else reads the convolution's output
                setattr(module, norm_name, activation)
    return network
