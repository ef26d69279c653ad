import numpy as np
import pytest
import torch
from torch import nn

from vision_pipeline.core.errors import UserError
from vision_pipeline.runtime.device import Runtime, setup_runtime
from vision_pipeline.runtime.inference import eval_mode, predict_logits
from vision_pipeline.runtime.preprocessing import Normalize, PixelModel, normalization_stats, uint8_to_float

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")


def test_pixels_become_channels_first_on_the_scale_0_to_1():
    pixels = torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8)
    unit = uint8_to_float(pixels)
    assert unit.shape == (1, 3, 1, 1)
    assert unit.flatten().tolist() == pytest.approx([0, 1, 0.2])


def test_symmetric_normalization_reaches_minus_one_and_one():
    normalize = Normalize(**normalization_stats("symmetric", [0.1, 0.2], [0.3, 0.4]))
    unit = torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)
    assert normalize(unit).flatten().tolist() == [-1.0, 1.0]
    assert normalization_stats("standard", [0.1], [0.3]) == {"mean": [0.1], "std": [0.3]}


def test_unit_normalization_changes_nothing():
    normalize = Normalize(**normalization_stats("unit", [0.1, 0.2], [0.3, 0.4]))
    unit = torch.tensor([0.2, 1.0]).view(1, 2, 1, 1)
    assert torch.equal(normalize(unit), unit)


def test_normalization_is_no_part_of_the_saved_weights():
    network = PixelModel(nn.Flatten(), [0.5], [0.5])
    assert list(network.state_dict()) == []


def test_outputs_are_in_order_and_leave_every_mode_as_it_was():
    network = nn.Sequential(nn.Dropout(0.5), nn.Flatten())
    network[1].eval()
    inputs = np.arange(10, dtype=np.float32).reshape(5, 2)
    inputs.setflags(write=False)
    assert torch.equal(predict_logits(network, inputs, CPU, batch_size=2), torch.from_numpy(inputs.copy()))
    assert [module.training for module in network.modules()] == [True, True, False]


def test_the_mode_is_restored_after_an_error():
    network = nn.Linear(2, 2)
    with pytest.raises(RuntimeError), eval_mode(network):
        raise RuntimeError
    assert network.training


def test_the_machine_asked_for_is_there_or_refused():
    machine = setup_runtime("cpu", "auto", 2, has_convolutions=False)
    assert (machine.device.type, machine.precision, machine.threads) == ("cpu", "fp32", 2)
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.is_deterministic_algorithms_warn_only_enabled()
    assert (machine.metadata()["deterministic"], torch.backends.cudnn.benchmark) == (True, False)
    assert setup_runtime("cpu", "bf16", 1, has_convolutions=False).precision == "bf16"
    if not torch.cuda.is_available():
        with pytest.raises(UserError, match="device is 'cuda', which this machine lacks; it has: cpu"):
            setup_runtime("cuda", "auto", 1, has_convolutions=True)
