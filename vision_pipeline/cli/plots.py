"""`vision plots`: DVC's page of all plots, drawn without a network."""

import subprocess
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from vision_pipeline.cli.pipeline.dvc import dvc_command, dvc_env
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_text

TEMPLATE_PATH, OUTPUT_DIR = Path(".dvc/tmp/plots.html"), Path("dvc_plots")
# DVC replaces the words in braces by the plots. Its own template loads scripts from a server as well.
_PAGE_TEMPLATE = """<!DOCTYPE html>
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
        raise UserError(".dvc is missing; run from the repository's root")
    write_text(TEMPLATE_PATH, render_template())
    subcommand = ["diff", *revisions] if revisions else ["show"]
    arguments = ["plots", *subcommand, "--html-template", str(TEMPLATE_PATH), "--out", str(OUTPUT_DIR)]
    process = subprocess.run(dvc_command(*arguments), env=dvc_env(), stdout=subprocess.DEVNULL, check=False)
    if process.returncode:
        raise UserError(
            f"`dvc plots {' '.join(subcommand)}` failed with exit code {process.returncode}; its message stands above"
        )
    page = (OUTPUT_DIR / "index.html").resolve()
    typer.echo(f"Plots: {page.as_uri()}")
    if browser:
        webbrowser.open(page.as_uri())


def render_template() -> str:
    """Return the page into which DVC puts the plots, with the scripts that draw them."""
    from vl_convert import javascript_bundle

    vega: str = javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return _PAGE_TEMPLATE.replace("VEGA", vega)
