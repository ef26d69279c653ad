"""Training a network"""

import torch
from torch.nn.functional import cross_entropy, log_softmax, nll_loss, one_hot

from vision_pipeline.cli.tour.tour_data import TourData


def scores(data: TourData) -> None:
    """Cross-entropy takes raw scores: it applies log-softmax itself.

    A network that knows nothing has a loss near ln 10 = 2.30. Fed with probabilities instead, even perfect ones, the
    loss could not fall below 1.46.
    """
    targets = data.load_batch(64).targets
    logits = data.build_network(128, 64)(data.load_images(64))
    print(f"{cross_entropy(logits, targets):.4f}, by hand {nll_loss(log_softmax(logits, 1), targets):.4f}")
    print(f"{cross_entropy(one_hot(targets, 10).float(), targets):.4f} with perfect probabilities as scores")


def gradients(data: TourData) -> None:
    """`loss.backward()` computes the gradients and adds them to those that are there.

    So a training step begins with `zero_grad`, or the second gradient would be twice the first.
    """
    network = data.build_network(128, 64)
    weight = network.output.weight
    print("before:", weight.grad)
    cross_entropy(network(data.load_images()), data.load_batch().targets).backward()
    first_gradient = weight.grad.clone()
    cross_entropy(network(data.load_images()), data.load_batch().targets).backward()
    doubled = torch.allclose(weight.grad, 2 * first_gradient)
    print("after the first and the second:", tuple(first_gradient.shape), doubled)


def a_step(data: TourData) -> None:
    """`optimizer.step()` changes every weight: by plain SGD, W becomes W - learning rate x gradient."""
    network = data.build_network(128, 64)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.003)
    cross_entropy(network(data.load_images()), data.load_batch().targets).backward()
    before, gradient = network.output.weight.detach().clone(), network.output.weight.grad
    optimizer.step()
    print(torch.allclose(network.output.weight, before - 0.003 * gradient))  # equal but for rounding


def five_epochs(data: TourData) -> None:
    """An epoch is one pass over the training images. The loss falls from epoch to epoch.

    This is the loop that `dvc repro train@mnist-mlp` runs, on 1,300 images and with a larger rate.
    """
    result = data.train_network(data.build_network(128, 64))
    print("training loss:", [round(epoch.train_loss, 2) for epoch in result.history])


def a_prediction(data: TourData) -> None:
    """Softmax makes probabilities of scores; the highest is the answer, which is often right and never certain.

    Test images tell how often: the network has not seen them. (The course drew its sample from the training images.)
    """
    inputs, targets = data.test.gather(torch.arange(len(data.test)))
    probabilities = data.trained_network(data.preprocess(inputs)).softmax(1)
    index = int(torch.randint(len(targets), ()))
    predicted, confidence = probabilities[index].argmax(), probabilities[index].max()
    total = probabilities[index].sum()
    print(f"image {index} is a {targets[index]}: {predicted} with {confidence:.0%}, the sum is {total:.4f}")
    print(f"right of all: {(probabilities.argmax(1) == targets).float().mean():.0%}")
