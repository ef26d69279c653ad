"""Fixtures of the backbones."""

import pytest
import torch
from backbone_specs import SIZES, Spec
from torch import nn

from vision_pipeline.models.backbones import create_backbone


@pytest.fixture(scope="module", params=SIZES, ids=lambda spec: spec[1])
def spec(request: pytest.FixtureRequest) -> Spec:
    backbone_spec: Spec = request.param
    return backbone_spec


@pytest.fixture(scope="module")
def trained_backbone(spec: Spec) -> nn.Module:
    """A backbone whose batch norms have seen images, so that they are not the identity."""
    torch.manual_seed(1)
    network = create_backbone(*spec).train()
    with torch.no_grad():
        for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.uniform_(-0.5, 0.5)
        network(torch.randn(8, 3, 64, 64))
    return network.eval()
