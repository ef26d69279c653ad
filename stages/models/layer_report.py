"""The layers of a trained model as files: a table for programs and a text for people."""

from pathlib import Path

from stages.models.anatomy import layers_of, one_input
from stages.models.build import count_parameters
from stages.models.checkpoint import Checkpoint
from stages.models.layer_table import rows, text
from stages.models.whole import whole
from stages.project.files import write_csv, write_text

FILES = ("summary.csv", "summary.txt")


def write_layer_report(folder: Path, checkpoint: Checkpoint, inputs: Path, shape: list[int]) -> None:
    """Write `FILES`: all layers from the stored input on, a head behind the backbone that it was trained on.

    Args:
        folder: to write to.
        checkpoint: of the model.
        inputs: the folder of the data that it was trained on.
        shape: of one stored image, [] of a text, or [length] of sequences.
    """
    network = whole(checkpoint, inputs)
    layers = layers_of(network, one_input(network, shape))
    table = rows(layers)
    write_csv(folder / FILES[0], list(table[0]), [list(row.values()) for row in table])
    write_text(folder / FILES[1], text(checkpoint.name, layers, count_parameters(network)[1]) + "\n")
