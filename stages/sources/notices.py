"""What a person should know about the data at hand: stand-ins, and what could be had better."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from stages.params.data import Backbone, Dataset
from stages.project.files import read_json
from stages.sources.entries import read_entry
from stages.sources.offer import better_source, better_weights
from stages.sources.provenance import FILE


@dataclass(frozen=True)
class Notice:
    """One line for people.

    Attributes:
        about: what is at hand and what could be had.
        stage: of dvc.yaml, that fetches it anew.
        better: whether something else would be fetched now; a stand-in may have no better source.
    """

    about: str
    stage: str
    better: bool

    def __str__(self) -> str:
        """The line, ending with the command that replaces what is at hand."""
        return f"{self.about}: dvc repro -f -s {self.stage}"


def data_notices(datasets: Mapping[str, Dataset], raw: Path, network: bool) -> Iterator[Notice]:
    """Notices about data sets of the catalogue.

    Args:
        datasets: of params.yaml.
        raw: the folder of all raw data.
        network: also ask the official hosts (seconds).

    Raises:
        Refusal: a catalogue entry, a provenance at hand or `DATA_MIRROR` is not as it must be.
    """
    for name, dataset in datasets.items():
        if dataset.kind != "catalog":
            continue
        stage, better = (
            f"download@{name}",
            better_source(name, read_entry(Path(dataset.path)), dataset.source, raw, network),
        )
        status = _status(raw / name)
        if better:
            yield Notice(_data_offer(name, status, better), stage, True)
        elif status == "stand-in" and dataset.source != "stand-in":
            yield Notice(f"{name} is a stand-in; with real images in DATA_MIRROR, or a network", stage, False)


def weight_notices(backbones: Mapping[str, Backbone], weights: Path, network: bool) -> Iterator[Notice]:
    """Notices about the backbones' weights, which lie in the folder `weights`; the rest as `data_notices`."""
    for name, backbone in backbones.items():
        stage, better = f"weights@{name}", better_weights(name, backbone.source, weights, network)
        if better:
            yield Notice(f"{name} has random weights, but {_WHERE[better]} real ones", stage, True)
        elif _status(weights / name) == "random" and backbone.source != "random":
            yield Notice(f"{name} has random weights; with real ones in DATA_MIRROR, or a network", stage, False)


def _status(folder: Path) -> str | None:
    """Of what is at hand; None where nothing is."""
    return str(read_json(folder / FILE)["status"]) if (folder / FILE).exists() else None


def _data_offer(name: str, status: str | None, better: str) -> str:
    if better == "stand-in":
        return f"{name} is at hand ({status}), but params.yaml asks for the stand-in"
    if status == "stand-in":
        return f"{name} is a stand-in, but {_WHERE[better]} real images"
    return f"{name} is at hand ({status}), but {_WHERE[better]} other files"


_WHERE = {
    "mirror": "the mirror has",
    "official": "the official source can be reached and has",
    "package": "an installed package has",
}
