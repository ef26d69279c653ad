"""The history of a training on disk, and which of its epochs is the best."""

from history_file import read_history

from vision_pipeline.training.results import EpochMetrics, write_history


def test_history_round_trip(tmp_path):
    history = [
        EpochMetrics(
            epoch=1, lr=0.1, train_loss=1.5, train_accuracy=0.25, val_loss=1.25, val_accuracy=0.5, weight_decay=0.0
        ),
        EpochMetrics(
            epoch=2, lr=0.01, train_loss=0.5, train_accuracy=0.75, val_loss=0.625, val_accuracy=0.875, weight_decay=0.1
        ),
    ]
    write_history(tmp_path / "history.csv", history)
    assert read_history(tmp_path / "history.csv") == history
    header = (tmp_path / "history.csv").read_text().splitlines()[0]
    assert header == "epoch,lr,train_loss,train_accuracy,val_loss,val_accuracy,weight_decay"


def test_the_best_epoch_has_the_highest_accuracy_then_the_lowest_loss():
    figures = ((1, 0.5), (1, 0.6), (2, 0.6))
    low, high, higher_loss = (
        EpochMetrics(
            epoch=1, lr=0, train_loss=0, train_accuracy=0, val_loss=loss, val_accuracy=accuracy, weight_decay=0
        )
        for loss, accuracy in figures
    )
    assert low.is_better_than(None)
    assert high.is_better_than(low)
    assert not higher_loss.is_better_than(high)
