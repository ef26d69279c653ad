"""The MLflow run of a model: one run per model and key, found again by every stage.

Tracking changes no result, so no stage depends on it. Where the store cannot be reached the work goes
on and one loud line says what was not logged; `TRACKING=off` skips it, `TRACKING=strict` fails instead.
"""
