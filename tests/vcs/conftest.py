"""The workspace of the tests of tracking: runs are tagged with what git and dvc.lock hold."""

from tests.tracking.conftest import empty_store, workspace

__all__ = ["empty_store", "workspace"]
