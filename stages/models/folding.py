"""Batch norms folded into the convolutions before them: the same function of a frozen network, sooner.

Source: Jacob et al., Quantization and Training of Neural Networks, arXiv 1712.05877, section 3.2.
"""

from copy import deepcopy
from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def folded(network: nn.Module) -> nn.Module:
    """A copy of `network`, in evaluation mode, without the batch norms that follow a convolution.

    Holds for networks in which a norm that is registered right after a convolution also runs right after it,
    as in both backbones. The norms that come first, as in DenseNet's layers, stay.
    """
    network = deepcopy(network).eval().requires_grad_(False)
    for module in list(network.modules()):
        for (conv_name, conv), (norm_name, norm) in pairwise(module.named_children()):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, getattr(norm, "act", nn.Identity()))  # timm's norms hold their activation
    return network
