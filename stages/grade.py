"""Have a trained model classify a generator's images; writes data/synthetic/GENERATOR/grade.json.

A stage of dvc.yaml: `dvc repro grade@NAME`.
"""

from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.files import read_json, write_json
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import MODELS, SYNTHETIC, delete_resume_state
from vision_pipeline.core.stage_main import run_stage
from vision_pipeline.data.format import read_array


def main(name: str) -> None:
    """Write the share of the images that the generator's grader assigns to their class, and log it."""
    device, threads, deterministic, grader = load_params(
        "device", "threads", "deterministic", f"generators.{name}.grader"
    )
    from vision_pipeline.gan.grading import classifier_score
    from vision_pipeline.models.checkpoint import build_pixel_model, load_checkpoint
    from vision_pipeline.runtime.device import cpu_slot_for, setup_runtime
    from vision_pipeline.runtime.inference import predict_logits
    from vision_pipeline.tracking.lifecycle import reopen_generator_run

    runtime = setup_runtime(device, "fp32", threads, has_convolutions=False, deterministic=deterministic)
    folder = SYNTHETIC / name
    # this stage runs after DVC has recorded the generator's outs, so its resume state is not needed any more
    delete_resume_state(read_json(folder / "training.json")["key"])
    images, targets = (read_array(folder / "images" / f"{file}.npy") for file in ("inputs", "targets"))
    checkpoint = load_checkpoint(MODELS / grader / "checkpoint.pth")
    if checkpoint.input_shape != list(images.shape[1:]):
        raise ArtifactError(f"{MODELS / grader} takes other images than {folder}; `dvc repro` makes both again")
    network = build_pixel_model(checkpoint).to(runtime.device)
    with cpu_slot_for(network, runtime):
        logits = predict_logits(network, images, runtime, description=f"grading {name}").numpy()
    grade_report = {"grader": grader, **classifier_score(logits, targets, checkpoint.class_names)}
    write_json(folder / "grade.json", grade_report)
    logger.info(
        f"{name}: {grader} takes {grade_report['as_intended']:.2%} of {len(images):,} images for the class asked for"
    )
    with reopen_generator_run(name) as run:
        run.log_metrics({f"grade.{metric}": grade_report[metric] for metric in ("as_intended", "confidence")})


if __name__ == "__main__":
    run_stage(main, __doc__ or "", "a generator of params.yaml")
