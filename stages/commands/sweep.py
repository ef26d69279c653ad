"""`vision sweep`: a search for a model's best values, each trial a DVC experiment and an MLflow run."""

from typing import TYPE_CHECKING, Annotated

import typer

from stages.commands.pipeline.beside import params_here
from stages.commands.pipeline.commit import refuse_without_commit
from stages.commands.pipeline.copies import refuse_copy
from stages.commands.plans.forecast import trainings
from stages.commands.sweeps.file import SWEEPS, Sweep, read_sweep
from stages.params.named_files import say_each
from stages.project.console import Refusal, say
from stages.project.files import write_text
from stages.project.paths import REPORTS

if TYPE_CHECKING:
    from optuna import Study

_ENOUGH = 4  # finished trials, to tell what their metric depends on


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
    params = params_here()
    if not name:
        say_each(SWEEPS, lambda each: read_sweep(each, params).about)
        return
    from stages.commands.sweeps.study import Trials
    from stages.commands.sweeps.trial import left
    from stages.tracking.pruning import storage_told

    asked, address = read_sweep(name, params), _address(storage)
    refuse_without_commit()
    refuse_copy(params, [asked.model])
    with storage_told(address):
        trials = Trials(name, asked, params, address)
        missing, epochs = left(trials.study, asked), params["models"][asked.model]["train"].get("epochs")
        say(f"{name}: {missing} trial(s) to go; {trainings(asked.model, [epochs] * missing)}")
        trials.run()
    report(name, asked, trials.study)


def report(name: str, asked: Sweep, study: "Study") -> None:
    """Write and show what became of a sweep's trials."""
    from stages.commands.sweeps.figures import draw_importance, draw_parallel
    from stages.commands.sweeps.table import STATES, as_markdown, table

    rows = table(name, asked, study.get_trials(deepcopy=False, states=tuple(STATES)))
    folder = REPORTS / "sweeps" / name
    write_text(folder / "trials.csv", rows.to_csv(index=False, float_format="%.8g", lineterminator="\n"))
    write_text(folder / "table.md", page := as_markdown(name, asked, rows))
    say(page)
    finished = rows[rows["state"] == "finished"]
    if len(finished):
        draw_parallel(folder / "parallel.png", asked, rows)
    if len(finished) >= _ENOUGH and finished[asked.metric].nunique() > 1:
        draw_importance(folder / "importance.png", asked, importance(study, asked.seed), rows)
    say(f"{folder}/ has the tables and the figures")


def importance(study: "Study", seed: int) -> dict[str, float]:
    """By key, its share of the metric's variance among the finished trials.

    Source: Hutter, Hoos and Leyton-Brown, An efficient approach for assessing hyperparameter importance, ICML 2014.
    """
    from optuna.importance import FanovaImportanceEvaluator, get_param_importances

    return get_param_importances(study, evaluator=FanovaImportanceEvaluator(seed=seed))


def _address(storage: str) -> str:
    """The database's address; SQLite's file must be named in full, for trials run elsewhere.

    Raises:
        Refusal: it is no address, its driver is missing, or the database lives in this process alone.
    """
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    from stages.tracking.addresses import in_repository

    address = storage or "sqlite:///optuna.db"
    try:
        url = make_url(address)
        url.get_dialect().import_dbapi()
    except ArgumentError:
        # what was typed is not shown: it may hold a password
        raise Refusal("--storage is no address; one is, for example, sqlite:////shared/optuna.db") from None
    except ImportError as error:
        raise Refusal(f"--storage: {error}; install the database's driver, or name another's") from None
    if url.get_backend_name() == "sqlite":
        return in_repository(address, "--storage")
    return url.render_as_string(hide_password=False)
