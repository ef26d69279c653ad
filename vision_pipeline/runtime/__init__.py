"""How tensors run on this machine: device, precision, threads, pixels to floats, batched inference."""
