"""Images as tensors"""

import torch

from vision_pipeline.cli.tour.tour_data import TourData


def a_batch(data: TourData) -> None:
    """64 grey images of 28 x 28 pixels are one tensor of shape (64, 1, 28, 28).

    The 1 is the number of channels; a colour image has 3. Brightness is not in the shape: it is the value of each
    number, 0 to 255 as stored, -1 to 1 as the network takes it.
    """
    pixels = data.load_batch(64).inputs
    images = data.preprocess(pixels)
    print(pixels.dtype, "from", pixels.min().item(), "to", pixels.max().item())
    print(images.dtype, "from", images.min().item(), "to", images.max().item(), tuple(images.shape))


def flattening(data: TourData) -> None:
    """`view(n, -1)` puts the pixels of each image into one row; -1 stands for the product of the other sizes, 784.

    784 is the size of the input layer. The hidden layer next to it may have any number of units; here it has 128.
    """
    images = data.load_images(64)
    flat = images.view(images.shape[0], -1)
    print(tuple(images.shape), "->", tuple(flat.shape))
    print("row 3 is image 3:", torch.equal(flat[3], images[3].reshape(784)))
    print(data.build_network(128, 64).hidden_layers[0])
    for bad_shape in ((-1, -1), (63, -1)):
        try:
            images.view(*bad_shape)
        except RuntimeError as error:
            print(error)


def view_reshape_resize(data: TourData) -> None:
    """`view` shows the same memory in another shape and never copies; where it would have to, it raises.

    `reshape` copies then. `resize_` changes the tensor itself and may drop or make up numbers, so it is not for this.
    All three are methods of a tensor; there is no torch.view.
    """
    x = torch.arange(6).view(2, 3)
    print("view, same memory:", x.view(3, 2).data_ptr() == x.data_ptr())
    transposed = x.t()  # its numbers no longer lie one after the other
    try:
        transposed.view(-1)
    except RuntimeError as error:
        print("view raises:", str(error).split("(")[0])
    print("reshape copies:", transposed.reshape(-1).tolist(), transposed.reshape(-1).data_ptr() != x.data_ptr())
    resized = torch.arange(6).resize_(4)
    print("resize_ drops:", resized.tolist(), "of", resized.untyped_storage().nbytes() // 8, "in memory")
