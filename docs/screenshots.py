"""The pictures in the README, of the report and of MLflow.

`python docs/screenshots.py` makes them in the trained repository, while `vision ui` runs there.

Beside the project's environment it needs `pip install playwright`, and a chromium on the PATH.
"""

import io
import json
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import Page, sync_playwright

SERVER = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:5000"
VIEW = "workflowType=machine_learning&viewStateShareKey=overview"
COMPARED = ("mnist-speednet", "mnist-cnn", "mnist-mlp-wide")


def save_screenshot(page: Page, name: str) -> None:
    """Save a screenshot of a page, in 256 colours."""
    page.wait_for_timeout(4000)  # its charts come in one by one
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    picture.quantize(256, dither=Image.Dither.NONE).save(Path(__file__).with_name(name), optimize=True)


def find_run_ids(page: Page, experiment: str) -> list[str]:
    """Return the ids of the runs of `COMPARED`, in its order."""
    query = {"experiment_ids": [experiment], "max_results": 1000}
    runs = page.request.post(f"{SERVER}/ajax-api/2.0/mlflow/runs/search", data=query).json()["runs"]
    by_name = {run["info"]["run_name"]: run["info"]["run_id"] for run in runs}
    return [by_name[name] for name in COMPARED]


def main() -> None:
    """Save the report; MLflow's table, its curves, and three models side by side."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        report = browser.new_page(viewport={"width": 1280, "height": 1150})
        report.goto(Path("reports/index.html").resolve().as_uri())
        save_screenshot(report, "report.png")
        page = browser.new_page(viewport={"width": 1600, "height": 760})
        page.add_init_script("localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')")
        url = f"{SERVER}/ajax-api/2.0/mlflow/experiments/get-by-name?experiment_name=image-classification"
        experiment = page.request.get(url).json()["experiment"]["experiment_id"]
        page.goto(f"{SERVER}/#/experiments/{experiment}/runs?{VIEW}")
        save_screenshot(page, "mlflow-runs.png")
        page.set_viewport_size({"width": 1600, "height": 1000})
        page.goto(f"{SERVER}/#/experiments/{experiment}/runs?{VIEW}&compareRunsMode=CHART")
        page.reload()
        save_screenshot(page, "mlflow.png")
        query = (
            f"runs={quote(json.dumps(find_run_ids(page, experiment)))}&experiments={quote(json.dumps([experiment]))}"
        )
        page.goto(f"{SERVER}/#/compare-runs?{query}&workflowType=machine_learning")
        page.get_by_text("Visualizations", exact=True).click()
        page.get_by_role("switch", name="Parameters - Show diff only").click()
        page.get_by_text("Comparing 3 Runs").scroll_into_view_if_needed()
        save_screenshot(page, "mlflow-compare.png")
        browser.close()


if __name__ == "__main__":
    main()
