"""The steps of building a model"""

from pathlib import Path

import torch
from ruamel.yaml import YAML
from torch.nn.functional import cross_entropy

from stages.commands.tour_steps.material import Material, settings
from stages.models.backbones import backbone
from stages.models.build import build, count_parameters
from stages.models.layers import Dropout
from stages.models.transfer import join
from stages.params.load import parsed


def the_stages(given: Material) -> None:
    """Load the data, preprocess it, define network, loss and optimizer, train, predict: so go the stages of dvc.yaml.

    Network, loss and optimizer are chosen in params.yaml and made by the stage `train`.
    """
    print(" -> ".join(parsed(Path("dvc.yaml"), YAML(typ="safe").load)["stages"]))


def transfer(given: Material) -> None:
    """DenseNet121 gives 1,024 features of an image; a classifier of our own, of 2 classes, replaces that of 1,000.

    The weights here are random, for the pretrained ones would have to be fetched; the sizes are the same.
    """
    features = backbone("torchvision", "densenet121")
    network = join(features, [0.0] * 1024, [1.0] * 1024, build("transfer", settings(256, dropout=0.2), [1024], 2))
    print("feature part:", count_parameters(features), "(all, trained)")
    print("with its classifier:", count_parameters(network), tuple(network(torch.zeros(4, 3, 64, 64)).shape))


def freezing(given: Material) -> None:
    """Frozen layers get no gradient, and they stay in evaluation mode, or batch norm would still move its averages."""
    features = backbone("torchvision", "resnet18")
    network = join(features, [0.0] * 512, [1.0] * 512, build("transfer", settings(), [512], 2)).train()
    before = {name: tensor.clone() for name, tensor in features.state_dict().items()}
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.Adam(trained, lr=0.003)
    cross_entropy(network(torch.randn(4, 3, 64, 64)), torch.tensor([0, 1, 0, 1])).backward()
    optimizer.step()
    print("the optimizer has", sum(parameter.numel() for parameter in trained), "numbers")
    print("features unchanged:", all(torch.equal(before[name], found) for name, found in features.state_dict().items()))


def where_it_runs(given: Material) -> None:
    """Network and images must lie on the same device; a GPU trains large networks many times faster.

    `python -m benchmarks.device` measures how many times here.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    scores = given.network(128, 64).to(device)(given.images().to(device))
    print("runs on:", scores.device.type)


def modes(given: Material) -> None:
    """`train()` switches dropout on in all layers, `eval()` off.

    Training mode belongs into the training loop alone, evaluation mode to all else: validation, testing, prediction,
    also of the next letter of a text.
    """
    network, images = given.network(128, dropout=0.5), given.images()
    network.train()
    print("training mode, twice the same:", torch.equal(network(images), network(images)))
    network.eval()
    print("evaluation mode, twice the same:", torch.equal(network(images), network(images)))


def dropout(given: Material) -> None:
    """Dropout sets a share p to 0 and multiplies the rest by 1 / (1 - p), so that the mean stays."""
    dropped = Dropout(0.2).train()(torch.ones(1_000_000))
    print(f"zeros {(dropped == 0).float().mean():.2f}, others {dropped.max():.2f}, mean {dropped.mean():.2f}")
