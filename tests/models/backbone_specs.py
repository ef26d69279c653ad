"""Two backbones of the default params, and their sizes."""

Spec = tuple[str, str]  # a library and a network of it
DENSENET, LITE0 = ("torchvision", "densenet121"), ("timm", "tf_efficientnet_lite0")
SIZES = {DENSENET: (6_953_856, 1024), LITE0: (3_371_008, 1280)}  # parameters and features
