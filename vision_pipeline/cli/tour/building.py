"""The steps of building a model"""

from pathlib import Path

import torch
from ruamel.yaml import YAML
from torch.nn.functional import cross_entropy

from vision_pipeline.cli.tour.tour_data import TourData, mlp_settings
from vision_pipeline.config.load import parse_file
from vision_pipeline.models.backbones import create_backbone
from vision_pipeline.models.build import build_model, count_parameters
from vision_pipeline.models.layers import Dropout
from vision_pipeline.models.transfer import attach_head


def the_stages(data: TourData) -> None:
    """Load the data, preprocess it, define network, loss and optimizer, train, predict: so go the stages of dvc.yaml.

    Network, loss and optimizer are chosen in params.yaml and made by the stage `train`.
    """
    print(" -> ".join(parse_file(Path("dvc.yaml"), YAML(typ="safe").load)["stages"]))


def transfer(data: TourData) -> None:
    """DenseNet121 gives 1,024 features of an image; a classifier of our own, of 2 classes, replaces that of 1,000.

    The weights here are random, for the pretrained ones would have to be fetched; the sizes are the same.
    """
    features = create_backbone("torchvision", "densenet121")
    network = attach_head(features, build_model("transfer", mlp_settings(256, dropout=0.2), [1024], 2))
    print("feature part:", count_parameters(features), "(all, trained)")
    print("with its classifier:", count_parameters(network), tuple(network(torch.zeros(4, 3, 64, 64)).shape))


def freezing(data: TourData) -> None:
    """Frozen layers get no gradient, and they stay in evaluation mode, or batch norm would still move its averages."""
    features = create_backbone("torchvision", "resnet18")
    network = attach_head(features, build_model("transfer", mlp_settings(), [512], 2)).train()
    before = {name: tensor.clone() for name, tensor in features.state_dict().items()}
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trainable, lr=0.003)
    cross_entropy(network(torch.randn(4, 3, 64, 64)), torch.tensor([0, 1, 0, 1])).backward()
    optimizer.step()
    print("the optimizer has", sum(parameter.numel() for parameter in trainable), "numbers")
    print("features unchanged:", all(torch.equal(before[name], after) for name, after in features.state_dict().items()))


def where_it_runs(data: TourData) -> None:
    """Network and images must lie on the same device; a GPU trains large networks many times faster.

    `python -m benchmarks.device` measures how many times here.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    scores = data.build_network(128, 64).to(device)(data.load_images().to(device))
    print("runs on:", scores.device.type)


def modes(data: TourData) -> None:
    """`train()` switches dropout on in all layers, `eval()` off.

    Training mode belongs into the training loop alone, evaluation mode to all else: validation, testing, prediction,
    also of the next letter of a text.
    """
    network, images = data.build_network(128, dropout=0.5), data.load_images()
    network.train()
    print("training mode, twice the same:", torch.equal(network(images), network(images)))
    network.eval()
    print("evaluation mode, twice the same:", torch.equal(network(images), network(images)))


def dropout(data: TourData) -> None:
    """Dropout sets a share p to 0 and multiplies the rest by 1 / (1 - p), so that the mean stays."""
    dropped = Dropout(0.2).train()(torch.ones(1_000_000))
    print(f"zeros {(dropped == 0).float().mean():.2f}, others {dropped.max():.2f}, mean {dropped.mean():.2f}")
