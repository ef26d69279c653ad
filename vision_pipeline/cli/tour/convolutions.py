"""Convolutional networks"""

import torch
from torch import nn

from vision_pipeline.cli.tour.tour_data import TourData
from vision_pipeline.models.flops import count_weights_biases, infer_output_shape


def four_filters(data: TourData) -> None:
    """Each filter makes an image of its own; four of them, one on the other, have a depth of 4.

    A filter with its signs turned makes the same image with its signs turned.
    """
    conv = nn.Conv2d(1, 4, kernel_size=4, bias=False)
    vertical = torch.tensor([[-1.0, -1.0, 1.0, 1.0]]).expand(4, 4)
    conv.weight.data = torch.stack([vertical, -vertical, vertical.T, -vertical.T])[:, None]
    maps = conv(data.load_images(1))
    print(tuple(maps.shape), torch.equal(maps[:, 1], -maps[:, 0]), torch.equal(maps[:, 3], -maps[:, 2]))


def max_pooling(data: TourData) -> None:
    """Max-pooling 2 x 2 keeps the largest of four pixels: height and width are halved, the depth stays."""
    pool = nn.MaxPool2d(2, 2)
    print(pool(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).item(), tuple(pool(data.load_images()).shape))


def order_of_relu_and_pooling(data: TourData) -> None:
    """relu never falls, so the largest stays the largest: pooling first gives the same, with a quarter of the work."""
    maps, pool = torch.randn(8, 16, 28, 28), nn.MaxPool2d(2, 2)
    print(torch.equal(pool(maps.relu()), pool(maps).relu()))


def two_hundred_pixels(data: TourData) -> None:
    """A grey image of 200 x 200 goes through 16 filters of 2 x 2 with stride 2, then 32 of 3 x 3 with padding 1.

    `in_channels` of the second is the depth that the first gives. Without stride and padding they are 1 and 0.
    """
    conv1, conv2 = nn.Conv2d(1, 16, 2, stride=2), nn.Conv2d(16, 32, 3, padding=1)
    print(tuple(conv1(torch.zeros(1, 1, 200, 200)).shape), tuple(conv2(conv1(torch.zeros(1, 1, 200, 200))).shape))
    print(nn.Conv2d(16, 32, 3).stride, nn.Conv2d(16, 32, 3).padding)


def parameters_of_a_layer(data: TourData) -> None:
    """K filters of F x F over a depth of D_in have K F F D_in weights, and K biases."""
    for conv in (nn.Conv2d(1, 16, 2), nn.Conv2d(16, 32, 3), nn.Conv2d(3, 10, 3), nn.Conv2d(10, 20, 5)):
        print(count_weights_biases(conv), sum(parameter.numel() for parameter in conv.parameters()))


def sizes(data: TourData) -> None:
    """Width and height: floor((W_in - F + 2P) / S) + 1, also of pooling. W_in is the width; the depth is D_in.

    An image of 130 x 130 x 3 ends as 20 x 16 x 16, which are 5,120 numbers.
    """
    layers = [nn.Conv2d(3, 10, 3), nn.MaxPool2d(4, 4), nn.Conv2d(10, 20, 5, padding=2), nn.MaxPool2d(2, 2)]
    shape = [3, 130, 130]
    for layer in layers:
        shape = infer_output_shape(layer, shape) or []
        print(type(layer).__name__, shape)
    print("torch says", tuple(nn.Sequential(*layers)(torch.zeros(1, 3, 130, 130)).shape))
