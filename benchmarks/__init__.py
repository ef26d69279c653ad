"""Measurements that anybody can repeat; see README.md."""

from vision_pipeline.core.process import setup_process

setup_process()
