"""From main memory to the device, without waiting for what the device still has to do."""

import torch
from torch import Tensor


def sent(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor`, of the CPU, on `device`; the same one where that is the CPU.

    A plain `to` makes the CPU wait until a GPU has done all that it was asked before; this only asks for the copy. What
    the memory held at the call is what arrives, for CUDA stages what is not pinned: the tensor may be changed then.
    """
    return tensor.to(device, non_blocking=device.type == "cuda")
