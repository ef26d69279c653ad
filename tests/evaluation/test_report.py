"""The HTML report: self-contained, safe with hostile names, the same bytes every time."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fake_reports import write_reports

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import read_json
from vision_pipeline.evaluation.leaderboard import build_leaderboard
from vision_pipeline.evaluation.report import (
    ReportContext,
    _round_axis_limits,
    collect_policies,
    format_si,
    render_report,
)
from vision_pipeline.evaluation.significance import compare_all

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>')


class ElementParser(HTMLParser):
    """A parser that collects every start tag with its attributes, and checks that tags are closed in order."""

    VOID = frozenset({"meta", "img", "input", "link", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def make_context(reports: Path, names: list[str], **more: Any) -> ReportContext:
    model = {"architecture": "mlp", "inputs": "prepared/d", "augmentation": "shift", "train": {"lr": 0.01}}
    settings = dict.fromkeys(names, model)
    summaries = {name: read_json(reports / name / "data.json") for name in names}
    return ReportContext(
        reports=reports,
        data_summaries=summaries,
        settings=settings,
        previews=more.get("previews", {}),
        comparisons=compare_all(build_leaderboard(names, reports), reports),
    )


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reports")
    write_reports(folder / "good", ease=9.0)
    write_reports(folder / "bad", ease=0.5)
    weights = {"name": "densenet121", "weights": {"status": "random"}}
    write_reports(folder / "hostile", "pets", "stand-in", class_names=HOSTILE, backbone=weights)
    return folder


NAMES = ["good", "bad", "hostile"]


@pytest.mark.parametrize(
    ("inputs", "augmentation", "policies"),
    [
        ("prepared/d", "none", set()),
        ("prepared/d", "shift", {"shift"}),
        ("augmented/looks/views", "none", {"looks"}),
        ("augmented/looks/views", "shift", {"looks", "shift"}),
        ("features/looks", "none", set()),
    ],
)
def test_the_policies_of_a_model_are_its_own_and_that_of_its_views(
    inputs: str, augmentation: str, policies: set[str]
) -> None:
    assert collect_policies({"inputs": inputs, "augmentation": augmentation}) == policies


def render(reports: Path, names: list[str], **more: Any) -> str:
    context = make_context(reports, names, **more)
    return render_report(build_leaderboard(names, reports), context, more.get("notes", []), more.get("missing", []))


def test_a_pair_has_a_row_with_its_verdict(reports: Path) -> None:
    text = render(reports, NAMES)
    row = text[text.index("<tr><td>good</td><td>bad</td>") :].split("</tr>")[0]
    assert "< 0.001" in row.replace("&lt;", "<")
    assert row.endswith("better</td>")
    assert text.count("Which differences are real") == 1  # the other data set has one model
    assert "not told apart from the best" not in text


def test_the_page_loads_nothing_from_elsewhere(reports: Path) -> None:
    elements = ElementParser(render(reports, NAMES)).elements
    addresses = [
        value
        for _, attributes in elements
        for name, value in attributes.items()
        if name in {"src", "href", "srcset", "action", "poster", "data"} and value
    ]
    assert len([value for value in addresses if value.startswith("data:image/png;base64,")]) == 3 * 4
    assert [value for value in addresses if not value.startswith(("data:image/png;base64,", "#"))] == []
    assert {tag for tag, _ in elements} & {"script", "link", "iframe", "object", "embed", "base"} == set()
    assert "@import" not in render(reports, NAMES)
    assert "url(" not in render(reports, NAMES)


def test_every_tag_is_closed_and_every_link_has_its_target(reports: Path) -> None:
    parsed = ElementParser(render(reports, NAMES))
    assert parsed.open == []
    targets = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(targets) == len(set(targets))
    links = {attributes["href"] for _, attributes in parsed.elements if "href" in attributes}
    assert links == {f"#{target}" for target in targets}


def test_hostile_names_are_shown_and_do_nothing(reports: Path) -> None:
    text = render(reports, ["hostile"], notes=["<b>note</b>"])
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "&lt;b&gt;note&lt;/b&gt;" in text
    for tag, attributes in ElementParser(text).elements:
        assert tag != "script"
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src", "data:").startswith("data:")  # type: ignore[union-attr]


def test_the_page_is_the_same_every_time(reports: Path, tmp_path: Path) -> None:
    first = render(reports, NAMES)
    assert render(reports, NAMES) == first
    write_reports(tmp_path / "good", ease=9.0)
    assert render(tmp_path, ["good"]) == render(reports, ["good"])
    assert str(tmp_path) not in render(tmp_path, ["good"])


def test_models_stand_in_the_leaderboards_order_under_their_data_set(reports: Path) -> None:
    text = render(reports, ["bad", "hostile", "good"])
    offsets = [
        text.index(f'id="{part}"') for part in ("data-mnist", "model-good", "model-bad", "data-pets", "model-hostile")
    ]
    assert offsets == sorted(offsets)


def test_synthetic_images_are_said_beside_the_model(reports: Path, tmp_path: Path) -> None:
    write_reports(tmp_path / "good", train={"synthetic": "mnist-gan", "synthetic_images": 1000})
    remark = "1,000 synthetic images of mnist-gan beside the real ones"
    assert remark in render(tmp_path, ["good"])
    assert "synthetic images of" not in render(reports, ["good"])


def test_stand_ins_random_weights_and_missing_models_are_said(reports: Path) -> None:
    text = render(reports, NAMES, notes=["Mind this."], missing=["new-one"])
    assert 'class="badge stand-in"' in text
    assert "random densenet121" in text
    assert '<p class="warning"><strong>Warning.</strong> Mind this.</p>' in text
    assert "Not evaluated yet: new-one." in text


def test_previews_of_used_policies_are_shown_where_they_are_there(reports: Path, tmp_path: Path) -> None:
    (tmp_path / "preview.png").write_bytes(b"PNG")
    previews = {"shift": tmp_path / "preview.png", "unused": tmp_path / "preview.png"}
    text = render(reports, ["good"], previews=previews)
    assert "What training sees: shift" in text
    assert '"data:image/png;base64,UE5H"' in text
    assert "unused" not in text
    assert "What training sees" not in render(reports, ["good"], previews={"shift": tmp_path / "gone.png"})


def test_intervals_lie_within_the_axis(reports: Path) -> None:
    intervals = re.findall(r'<i style="left:([^%]+)%;width:([^%]+)%">', render(reports, NAMES))
    assert len(intervals) == len(NAMES)
    for left, width in intervals:
        assert 0 <= float(left) <= float(left) + float(width) <= 100.01


@pytest.mark.parametrize(
    ("low", "high", "axis"),
    [(0.912, 0.951, (0.91, 0.96)), (0.52, 0.98, (0.5, 1.0)), (0.999, 1.0, (0.99, 1.0)), (0.0, 0.2, (0.0, 0.2))],
)
def test_axis(low: float, high: float, axis: tuple[float, float]) -> None:
    assert _round_axis_limits(low, high) == axis


def test_a_missing_picture_is_named(reports: Path, tmp_path: Path) -> None:
    write_reports(tmp_path / "good", targets=np.array([0]), images=np.zeros((1, 4, 4, 1), np.uint8))
    (tmp_path / "good" / "mistakes.png").unlink()
    with pytest.raises(UserError, match=r"good/mistakes\.png is missing"):
        render(tmp_path, ["good"])


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0"), (999, "999"), (7850, "7.85 k"), (999_999, "1 M"), (12_345_678, "12.3 M"), (4e9, "4 G")],
)
def test_counts_for_people(number: float, text: str) -> None:
    assert format_si(number) == text


def test_the_cost_of_an_answer_and_the_spread_over_seeds_are_shown(reports: Path, tmp_path: Path) -> None:
    mean = {"accuracy_mean": 0.91, "accuracy_mean_sd": 0.01, "accuracy_mean_low": 0.885, "accuracy_mean_high": 0.935}
    write_reports(tmp_path / "good", train={"seeds": 3, **mean})
    text = render(tmp_path, ["good"])
    assert "3 seeds: 91.00% ± 2.50" in text
    assert "<dt>Mean over 3 seeds</dt><dd>91.00%<span>88.50% – 93.50%, sd 1.00 points</span></dd>" in text
    assert "<dt>Cost of an answer</dt><dd>8.84 k<span>multiply-adds for an image</span></dd>" in text
    assert "seeds" not in render(reports, ["good"])


@pytest.mark.parametrize("table", ["per_class.csv", "summary.csv"])
def test_a_table_that_is_missing_or_damaged_is_named(table: str, tmp_path: Path) -> None:
    write_reports(tmp_path / "good")
    (tmp_path / "good" / table).write_text("nothing\n")
    with pytest.raises(UserError, match=rf"good/{table} has no column"):
        render(tmp_path, ["good"])
    (tmp_path / "good" / table).unlink()
    with pytest.raises(UserError, match=rf"good/{table} is missing"):
        render(tmp_path, ["good"])
