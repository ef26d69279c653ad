"""Processes that go on no longer than the one that began them."""

import sys

# when their parent is killed, nobody is left to end them: a stage would train on unseen, a server hold its port
_SCRIPT = """
import runpy
import sys
from stages.project.stopping import die_with_parent
die_with_parent()
module = sys.argv.pop(1)
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def command(module: str, *arguments: str) -> list[str]:
    """The command line of `python -m MODULE ARGUMENTS`, which ends with this process, however that ends."""
    return [sys.executable, "-c", _SCRIPT, module, *arguments]
