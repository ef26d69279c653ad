"""`vision sweep`: a search for a model's best values; each trial is a DVC experiment and an MLflow run."""

from typing import TYPE_CHECKING, Annotated

import typer

from vision_pipeline.cli.pipeline.obstacles import require_copyable
from vision_pipeline.cli.pipeline.schedule import describe_time
from vision_pipeline.cli.pipeline.temp_experiment import read_workspace_params
from vision_pipeline.cli.sweep.search_space import SWEEPS, SweepConfig, read_sweep
from vision_pipeline.config.effective import fill_defaults
from vision_pipeline.config.named_files import print_list
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_text
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import REPORTS
from vision_pipeline.tracking.secrets import redact
from vision_pipeline.vcs.git import require_commit

if TYPE_CHECKING:
    from optuna import Study

_MIN_TRIALS_FOR_IMPORTANCE = 4  # finished trials from which the importance of each key is estimated


def sweep(
    name: Annotated[str, typer.Argument(help="One of them; without it, they are listed.")] = "",
    storage: Annotated[
        str,
        typer.Option(
            envvar="SWEEP_STORAGE", help="Address of the database of trials, which several machines may share."
        ),
    ] = "",
) -> None:
    """List the sweeps, or run one, or its share here; its tables and figures go to reports/sweeps/NAME."""
    params = fill_defaults(read_workspace_params())
    if not name:
        print_list(SWEEPS, lambda sweep_name: read_sweep(sweep_name, params).description)
        return
    from vision_pipeline.cli.sweep.trials import SweepRunner, count_remaining_trials
    from vision_pipeline.tracking.optuna_trial import storage_errors

    config, address = read_sweep(name, params), _resolve_storage_url(storage)
    require_commit()
    require_copyable(params, [config.model])
    logger.debug(f"{name}: trials are kept in {redact(address)}")
    with storage_errors(address):
        runner = SweepRunner(name, config, params, address)
        num_remaining = count_remaining_trials(runner.study, config)
        epochs = params["models"][config.model]["train"].get("epochs")
        typer.echo(f"{name}: {num_remaining} trial(s) to go; {describe_time(config.model, [epochs] * num_remaining)}")
        runner.run()
    report_trials(name, config, runner.study)


def report_trials(name: str, config: SweepConfig, study: "Study") -> None:
    """Print a sweep's table, and write it and the figures."""
    from vision_pipeline.cli.sweep.trials_plot import plot_parallel_coordinates, plot_param_importance
    from vision_pipeline.cli.sweep.trials_table import STATE_NAMES, render_trials_markdown, tabulate_trials

    rows = tabulate_trials(name, config, study.get_trials(deepcopy=False, states=tuple(STATE_NAMES)))
    folder = REPORTS / "sweeps" / name
    write_text(folder / "trials.csv", rows.to_csv(index=False, float_format="%.8g", lineterminator="\n"))
    write_text(folder / "table.md", page := render_trials_markdown(name, config, rows))
    typer.echo(page)
    finished = rows[rows["state"] == "finished"]
    if len(finished):
        plot_parallel_coordinates(folder / "parallel.png", config, rows)
    if len(finished) >= _MIN_TRIALS_FOR_IMPORTANCE and finished[config.metric].nunique() > 1:
        plot_param_importance(folder / "importance.png", config, compute_importance(study, config.seed), rows)
    typer.echo(f"{folder}/ has the tables and the figures")


def compute_importance(study: "Study", seed: int) -> dict[str, float]:
    """Return, by key, its share of the metric's variance among the finished trials.

    Source: Hutter, Hoos and Leyton-Brown, An efficient approach for assessing hyperparameter importance, ICML 2014.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))


def _resolve_storage_url(storage: str) -> str:
    """Return the database's address, with SQLite's file as an absolute path because trials run in other folders.

    Raises:
        UserError: it is no address, its driver is missing, or the database is in memory.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    from vision_pipeline.tracking.store import resolve_sqlite_uri

    address = storage or "sqlite:///optuna.db"
    try:
        url = make_url(address)
        url.get_dialect().import_dbapi()
    except ArgumentError:
        # the message does not repeat the address, which may hold a password
        raise UserError("--storage is no address; one is, for example, sqlite:////shared/optuna.db") from None
    except ImportError as error:
        raise UserError(f"--storage: {error}; install the database's driver, or name another's") from None
    if url.get_backend_name() == "sqlite":
        return resolve_sqlite_uri(address, "--storage")
    return url.render_as_string(hide_password=False)
