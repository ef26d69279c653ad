"""Limits that the schema of `params.yaml` checks and the library relies on; core is a dep of every stage."""

MIN_BACKBONE_SIZE = 32  # pixels of height and width that a pretrained backbone takes
MAX_IMAGE_BYTES = 64 << 20  # bytes of an encoded image file
GAN_SIZE_DIVISOR = 4  # the GAN's generator doubles height and width twice
STYLE_BACKBONES = ("tf_efficientnet_lite0", "vgg19")  # networks whose layers for style are known
