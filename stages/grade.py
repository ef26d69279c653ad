"""Have a trained model classify a generator's images; writes data/synthetic/GENERATOR/grade.json.

A stage of dvc.yaml: `dvc repro grade@NAME`.
"""

from stages.datasets.format import read_array
from stages.params import load
from stages.project.console import Refusal, say
from stages.project.door import open_door
from stages.project.files import read_json, write_json
from stages.project.paths import MODELS, SYNTHETIC, forget_training


def main(name: str) -> None:
    """Write the share of the images that the generator's grader takes for their class, and log it."""
    device, threads, deterministic, grader = load("device", "threads", "deterministic", f"generators.{name}.grader")
    from stages.compute.device import set_up
    from stages.compute.inference import outputs
    from stages.compute.turns import turn_for
    from stages.generation.grading import grade
    from stages.models.checkpoint import from_pixels, load_checkpoint
    from stages.tracking.runs import attach_generator

    machine = set_up(device, "fp32", threads, convolutions=False, deterministic=deterministic)
    folder = SYNTHETIC / name
    # DVC has taken note of the generator, or its images would not be graded
    forget_training(read_json(folder / "training.json")["key"])
    images, targets = (read_array(folder / "images" / f"{file}.npy") for file in ("inputs", "targets"))
    checkpoint = load_checkpoint(MODELS / grader / "checkpoint.pth")
    if checkpoint.input_shape != list(images.shape[1:]):
        raise Refusal(f"{MODELS / grader} takes other images than {folder}; `dvc repro` makes both again")
    network = from_pixels(checkpoint).to(machine.device)
    with turn_for(network, machine):
        logits = outputs(network, images, machine, what=f"grading {name}").numpy()
    found = {"grader": grader, **grade(logits, targets, checkpoint.class_names)}
    write_json(folder / "grade.json", found)
    say(f"{name}: {grader} takes {found['as_intended']:.2%} of {len(images):,} images for the class asked for")
    with attach_generator(name) as run:
        run.metrics({f"grade.{one}": found[one] for one in ("as_intended", "confidence")})


if __name__ == "__main__":
    open_door(main, __doc__ or "", "a generator of params.yaml")
