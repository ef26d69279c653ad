"""`vision plots`: DVC's page of all plots, drawn without a network."""

import subprocess
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from stages.commands.pipeline.dvc import command, environment
from stages.project.console import Refusal, say
from stages.project.files import write_text

TEMPLATE, FOLDER = Path(".dvc/tmp/plots.html"), Path("dvc_plots")
# DVC puts the plots in place of the words in braces. Its own template names scripts on a server as well.
_PAGE = """<!DOCTYPE html>
<html>
<head>
    {refresh_tag}
    <meta charset="utf-8">
    <title>Plots</title>
    <script>(() => {VEGA})();</script>
    <style>body { font-family: sans-serif; } table { border-spacing: 15px; }</style>
</head>
<body>
    {plot_divs}
</body>
</html>
"""


def plots(
    revisions: Annotated[
        list[str] | None, typer.Argument(help="Commits or experiments to compare; `workspace` is what lies here.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Draw all plots of dvc.yaml into dvc_plots/index.html, as `dvc plots show` does, but without a network."""
    if not Path(".dvc").is_dir():
        raise Refusal(".dvc is missing; run from the repository's root")
    write_text(TEMPLATE, template())
    asked = ["diff", *revisions] if revisions else ["show"]
    arguments = ["plots", *asked, "--html-template", str(TEMPLATE), "--out", str(FOLDER)]
    done = subprocess.run(command(*arguments), env=environment(), stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise Refusal(
            f"`dvc plots {' '.join(asked)}` failed with exit code {done.returncode}; its message stands above"
        )
    page = (FOLDER / "index.html").resolve()
    say(f"Plots: {page.as_uri()}")
    if browser:
        webbrowser.open(page.as_uri())


def template() -> str:
    """The page for DVC to put the plots into, with all that draws them inside."""
    from vl_convert import javascript_bundle

    vega: str = javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return _PAGE.replace("VEGA", vega)
