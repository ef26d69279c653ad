"""Tracking in MLflow: one run for each model and key, which every stage finds again.

Tracking changes no result, so no stage depends on it. Where the store cannot be reached the work continues, and one
warning says what was not logged; `TRACKING=off` skips tracking, `TRACKING=strict` fails instead.
"""
