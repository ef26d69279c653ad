"""Batch norms that are fused into convolutions."""

import torch
from torch import Tensor, nn

from vision_pipeline.models.fuse import fuse_conv_bn


def test_folding_changes_nothing_but_the_speed(trained_backbone: nn.Module) -> None:
    norms = _norms(trained_backbone)
    images = torch.randn(2, 3, 64, 64)
    fast = fuse_conv_bn(trained_backbone, images)
    assert (norms, _norms(fast)) in {(121, 62), (49, 0)}  # DenseNet: one norm a layer, transition and end comes first
    torch.testing.assert_close(fast(images), trained_backbone(images), rtol=1e-3, atol=1e-4)
    assert _norms(trained_backbone) == norms  # a copy was folded


class Apart(nn.Module):
    """A norm that is registered after a convolution, but runs before it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)
        self.norm.running_mean.fill_(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(self.norm(images)).mean((2, 3))


def test_a_norm_that_cannot_be_folded_stays() -> None:
    network, images = Apart().eval(), torch.randn(2, 3, 8, 8)
    kept = fuse_conv_bn(network, images)
    assert _norms(kept) == 1
    assert torch.equal(kept(images), network(images))


def _norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
