"""A challenger whose classes are not the champion's: clients would mislabel."""

import pytest

from tests.cli.test_champion import FAIR, SURE, choose, current_champion, train
from vision_pipeline.cli.champion import champion


@pytest.mark.parametrize(
    ("classes", "difference"),
    [
        (("cat", "dog", "fox"), "its classes are not the champion's (new: 'fox')"),
        (("cat", "fox"), "its classes are not the champion's (new: 'fox'; gone: 'dog')"),
        (("dog", "cat"), "it has the champion's classes in another order ('dog', 'cat'; before 'cat', 'dog')"),
    ],
)
def test_a_model_with_other_classes_takes_over_only_when_asked(workspace, capsys, classes, difference):
    train("mnist-mlp", FAIR)
    champion()
    train("mnist-mlp", SURE, key="f" * 16, classes=classes)
    stays = f"mnist: mnist-mlp (version 1) stays the champion; mnist-mlp (version 2): {difference}; "
    assert choose(capsys) == f"{stays}`vision champion --new-classes` lets it take over"
    assert current_champion() == "mnist-mlp (version 1)"
    champion(new_classes=True)
    assert current_champion() == "mnist-mlp (version 2)"


def test_a_champion_from_before_has_its_classes_in_its_onnx_file(workspace, capsys):
    train("mnist-mlp", FAIR, by="model.onnx")
    champion()
    train("mnist-cnn", SURE)
    assert "mnist-cnn (version 2) becomes the champion" in choose(capsys)


def test_a_champion_whose_classes_are_not_recorded_stays(workspace, capsys):
    train("mnist-mlp", FAIR, by="nothing")
    champion()
    train("mnist-cnn", SURE)
    assert "mnist-cnn (version 2): the classes of mnist-mlp (version 1) are not recorded; " in choose(capsys)
    assert current_champion() == "mnist-mlp (version 1)"


def test_many_new_classes_are_counted(workspace, capsys):
    train("mnist-mlp", FAIR)
    champion()
    train("mnist-mlp", SURE, key="f" * 16, classes=tuple("abcdefgh"))
    assert "new: 'a', 'b', 'c', 'd', 'e' and 3 more; gone: 'cat', 'dog'); " in choose(capsys)
