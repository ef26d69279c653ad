"""Networks: the architectures, the pretrained backbones, and the checkpoint that rebuilds any of them."""
