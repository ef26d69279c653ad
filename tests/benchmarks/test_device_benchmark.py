import re
import sys

import pytest
import torch

from benchmarks import device
from vision_pipeline.runtime.device import Runtime

CPU = Runtime(torch.device("cpu"), "fp32", 1, "a processor")
GPU = Runtime(torch.device("cuda"), "fp32", 1, "a GPU")


def test_a_step_trains_the_network_on_the_device(monkeypatch):
    tasks = []
    monkeypatch.setattr(device, "build_random_task", recording(tasks, device.build_random_task))
    step = device.make_step("cifar10-cnn", 8, CPU)
    network = tasks[0].network
    before = [parameter.detach().clone() for parameter in network.parameters()]
    step()
    assert network.training
    assert not any(torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True))
    assert {parameter.device.type for parameter in network.parameters()} == {"cpu"}


def recording(tasks, build):
    def build_and_record(*arguments):
        tasks.append(build(*arguments))
        return tasks[-1]

    return build_and_record


def test_the_first_steps_are_not_counted_and_at_least_20_are(monkeypatch, capsys):
    taken = []
    monkeypatch.setattr(device, "make_step", lambda name, size, runtime: lambda: taken.append(runtime.device.type))
    seconds = device.measure_steps("any", 8, [CPU, GPU])
    assert taken[: 2 * device.WARM_UP] == ["cpu"] * device.WARM_UP + ["cuda"] * device.WARM_UP
    assert taken[2 * device.WARM_UP :] == ["cpu", "cuda"] * device.STEPS
    assert device.STEPS >= 20
    assert seconds.keys() == {"cpu", "cuda"}
    assert len(capsys.readouterr().out.splitlines()) == 2 * device.STEPS


def test_the_ratio_names_both_devices(capsys):
    device.print_report("some-model", 64, [CPU, GPU], {"cpu": 0.5, "cuda": 0.02})
    assert capsys.readouterr().out.splitlines() == [
        "some-model, 64 images a step, a processor (cpu): 0.5 s",
        "some-model, 64 images a step, a GPU (cuda): 0.02 s",
        "a GPU: 25.0 times as fast as a processor",
    ]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_measures_the_cpu_and_says_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["it", "mnist-mlp", "--batch", "4"])
    device.main()
    *_, figure, last = capsys.readouterr().out.splitlines()
    assert re.match(r"mnist-mlp, 4 images a step, .* \(cpu\): [\d.e-]+ s$", figure)
    assert last == "no GPU here: there is nothing to compare with"
