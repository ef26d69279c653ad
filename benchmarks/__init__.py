"""Measurements that a person can run again; see README.md."""

from vision_pipeline.core.process import setup_process

setup_process()
