"""Measurements that a person can run again; see README.md."""
