"""The updates are those of torch's optimizers, bit for bit, without the import of its compiler."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from vision_pipeline.training.fused_optimizers import FusedAdam, FusedSGD

KINDS = [
    (lambda p: FusedSGD(p, 0.0, 0.1), lambda p: torch.optim.SGD(p, 0.5, weight_decay=0.1, fused=True)),
    (
        lambda p: FusedSGD(p, 0.9, 0.1),
        lambda p: torch.optim.SGD(p, 0.5, 0.9, weight_decay=0.1, nesterov=True, fused=True),
    ),
    (lambda p: FusedAdam(p, 0.1, decoupled=False), lambda p: torch.optim.Adam(p, 0.5, weight_decay=0.1, fused=True)),
    (lambda p: FusedAdam(p, 0.1, decoupled=True), lambda p: torch.optim.AdamW(p, 0.5, weight_decay=0.1, fused=True)),
]


@pytest.mark.parametrize(("ours", "torchs"), KINDS)
def test_five_steps_give_the_bits_of_torchs_optimizer(ours, torchs):
    torch.manual_seed(0)
    own = [nn.Parameter(torch.randn(7, 5)), nn.Parameter(torch.randn(3))]
    theirs = [nn.Parameter(parameter.detach().clone()) for parameter in own]
    update, optimizer = ours(own), torchs(theirs)
    for step in range(5):
        for parameter, other in zip(own, theirs, strict=True):
            parameter.grad = torch.randn(parameter.shape)
            other.grad = parameter.grad.clone()
        optimizer.param_groups[0]["lr"] = 0.5 / (1 + step)
        optimizer.step()
        update.step(0.5 / (1 + step))
    assert all(torch.equal(one, other) for one, other in zip(own, theirs, strict=True))


@pytest.mark.long
def test_a_training_does_not_import_the_compiler():
    program = "import sys; import tiny_training as t; from vision_pipeline.training.trainer import fit; "
    for optimizer in ("sgd", "adamw"):
        chosen = f"t.SETTINGS.model_copy(update=dict(optimizer={optimizer!r}, clip_norm=1.0, ema=0.9, mixup=0.2))"
        program += f"fit(t.a_task(), {chosen}, t.CPU, lambda epoch: None); "
    program += "print('torch._dynamo' in sys.modules)"
    folder = __file__.rsplit("/", 1)[0]
    done = subprocess.run([sys.executable, "-c", program], env={"PYTHONPATH": f"{folder}:."}, capture_output=True)
    assert done.stdout.decode().strip() == "False", done.stderr.decode()
