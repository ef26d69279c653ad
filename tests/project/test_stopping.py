import os
import signal

import pytest

from stages.project.stopping import Stopped, stop_flag


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_only_sets_the_flag(number):
    before = signal.getsignal(number)
    with stop_flag() as stop:
        stop.check()
        os.kill(os.getpid(), number)
        with pytest.raises(Stopped, match=signal.Signals(number).name):
            stop.check()
    assert signal.getsignal(number) is before
