"""The machine that tensors run on: device, precision, threads, preprocessing, batched inference, seeding."""
