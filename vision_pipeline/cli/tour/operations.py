"""Operations on tensors"""

import torch

from vision_pipeline.cli.tour.tour_data import TourData


def adding(data: TourData) -> None:
    """`a + b` and `torch.add(a, b)` are the same and change nothing; `y.add_(x)` changes y."""
    a, b = torch.tensor([1, 2]), torch.tensor([10, 20])
    print((a + b).tolist(), torch.add(a, b).tolist(), (a - b).tolist(), torch.sub(a, b).tolist())
    y = torch.tensor([1, 2])
    address = y.data_ptr()
    y.add_(b)
    print(y.tolist(), "in the same memory:", y.data_ptr() == address)


def underscores(data: TourData) -> None:
    """A method that ends in `_` changes its tensor. On a weight that is being trained torch refuses it."""
    x = torch.arange(6).view(2, 3)
    x.t_()
    print(tuple(x.shape))
    x.copy_(torch.zeros(3, 2))
    print(x.tolist())
    try:
        torch.ones(2, requires_grad=True).add_(1)
    except RuntimeError as error:
        print(error)


def one_number(data: TourData) -> None:
    """`.item()` takes the number out of a tensor that has exactly one; reports hold such numbers and no tensors."""
    x = torch.tensor([0.25])
    print(x.item(), type(x.item()).__name__)
    try:
        torch.tensor([1, 2]).item()
    except RuntimeError as error:
        print(error)


def numpy_and_back(data: TourData) -> None:
    """A tensor and its numpy array share memory: what changes one changes the other.

    Without the line `a.add_(1)` the last output would be ones: sharing alone changes nothing.
    """
    a = torch.ones(5)
    b = a.numpy()
    a.add_(1)
    print(b)
    print(torch.from_numpy(b))


def kinds_of_numbers(data: TourData) -> None:
    """Tensors on the CPU become numpy arrays, int8 (CharTensor) today among them; numpy has no bfloat16.

    A tensor on a GPU must be moved first: `x.cpu().numpy()`.
    """
    print(torch.ones(2, dtype=torch.int8).numpy().dtype)
    try:
        torch.ones(2, dtype=torch.bfloat16).numpy()
    except TypeError as error:
        print(error)
