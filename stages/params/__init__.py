"""The typed schema of `params.yaml`, and the one way for a stage to read its values.

No field has a default: every value that can change a result stands in `params.yaml`, where DVC
sees it. So the schema can only refuse, never change a result, and is in no stage's dependencies.
"""

from stages.params.load import load, problems

__all__ = ["load", "problems"]
