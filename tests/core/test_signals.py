import os
import signal
import subprocess
import sys

import psutil
import pytest

from vision_pipeline.core.signals import Interrupted, catch_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_only_sets_the_flag(number):
    before = signal.getsignal(number)
    with catch_signals() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted, match=signal.Signals(number).name):
            stop.check()
    assert signal.getsignal(number) is before


def test_a_second_sigterm_changes_nothing():
    with catch_signals() as stop:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted, match="SIGTERM"):
            stop.check()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_a_stage_that_still_imports_ends_with_its_dvc():
    stage = "import stages, time; print(flush=True); time.sleep(60)"
    dvc = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {stage!r}]).wait()"
    environment = os.environ | {"DVC_STAGE": "train@mnist-mlp"}
    parent = subprocess.Popen([sys.executable, "-c", dvc], env=environment, stdout=subprocess.PIPE)
    parent.stdout.readline()
    children = psutil.Process(parent.pid).children()
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(children, timeout=20)
    for child in alive:
        child.kill()
    assert len(children) == 1
    assert not alive
