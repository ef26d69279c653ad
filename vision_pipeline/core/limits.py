"""Limits that several packages rely on, such as the schema of `params.yaml`; core is a dep of every stage."""

MIN_BACKBONE_SIZE = 32  # pixels of height and width that a pretrained backbone takes
MAX_IMAGE_BYTES = 64 << 20  # bytes of an encoded image file
# suffixes, in lower case, of the image files that are read
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
GAN_SIZE_DIVISOR = 4  # the GAN's generator doubles height and width twice
STYLE_BACKBONES = ("tf_efficientnet_lite0", "vgg19")  # networks whose layers for style are known
