"""One step of a GAN's training: either side learns once, by the same images."""

import torch
from torch import Tensor
from torch.nn.functional import relu

from stages.compute.device import Machine
from stages.compute.sending import sent
from stages.generation.contest import Contest
from stages.generation.diffaugment import changed
from stages.generation.draws import draw
from stages.generation.images import to_symmetric
from stages.params.generators import Gan


def take_step(contest: Contest, settings: Gan, machine: Machine, step: int) -> Tensor:
    """Update both networks and the average; the losses of discriminator and generator, float32 (2,).

    The discriminator's is the hinge loss: real images ought to score above 1, made ones below -1. Made images are of
    the classes of the real ones beside them.

    Args:
        contest: the networks and the data.
        settings: the generator's section `gan`.
        machine: device and precision.
        step: its number, from 0.
    """
    pixels = contest.images
    size = (pixels.shape[1], pixels.shape[2])
    drawn = draw(len(pixels), settings.batch_size, settings.latent, size, contest.seed, step)
    rows = sent(drawn.rows, machine.device)
    real, classes = to_symmetric(pixels[rows]), contest.targets[rows]
    with machine.autocast():
        made = contest.generator.network(sent(drawn.noise, machine.device), classes).float()

    seen = changed(torch.cat([real, made.detach()]), drawn.changes)
    of_real, of_made = _scores(contest, machine, seen, torch.cat([classes, classes])).split(len(rows))
    to_tell = relu(1 - of_real).mean() + relu(1 + of_made).mean()
    contest.discriminator.learn(to_tell, settings.lr)

    contest.discriminator.network.requires_grad_(False)  # its own gradients are not needed here
    to_pass = -_scores(contest, machine, changed(made, drawn.changes.last(len(rows))), classes).mean()
    contest.generator.learn(to_pass, settings.lr)
    contest.discriminator.network.requires_grad_(True)
    contest.average.update(contest.generator.network, step)
    return torch.stack([to_tell.detach(), to_pass.detach()])


def _scores(contest: Contest, machine: Machine, images: Tensor, classes: Tensor) -> Tensor:
    with machine.autocast():
        scores: Tensor = contest.discriminator.network(images, classes)
    return scores.float()
