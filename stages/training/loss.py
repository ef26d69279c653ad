"""The loss of a batch, whose inputs are each of one class, or mixed of two."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import cross_entropy


@dataclass(frozen=True)
class Goal:
    """What N scores ought to say.

    Attributes:
        targets: int64 (N,), the class of each input.
        others: int64 (N,), the class of what is mixed in; None where nothing is.
        share: float32 (N,), 0 to 1: how much of a mixed input is of its own class.
    """

    targets: Tensor
    others: Tensor | None = None
    share: Tensor | None = None

    def of(self, rows: slice) -> "Goal":
        """That of some of the inputs."""
        if self.others is None or self.share is None:
            return Goal(self.targets[rows])
        return Goal(self.targets[rows], self.others[rows], self.share[rows])

    def weight(self, class_weights: Tensor | None) -> Tensor | int:
        """What the mean loss divides by: the number of inputs, or the sum of their classes' weights."""
        if class_weights is None:
            return len(self.targets)
        if self.others is None or self.share is None:
            return class_weights[self.targets].sum()
        return (self.share * class_weights[self.targets] + (1 - self.share) * class_weights[self.others]).sum()


def mean_loss(logits: Tensor, goal: Goal, class_weights: Tensor | None, label_smoothing: float) -> Tensor:
    """Cross-entropy with the classes of both parts of an input, by their shares; with class weights the weighted mean.

    Args:
        logits: float32 (N, classes).
        goal: of the N inputs.
        class_weights: float32 (classes,), or None.
        label_smoothing: share of a target that is spread over all classes.
    """
    if goal.others is None or goal.share is None:
        return cross_entropy(logits, goal.targets, weight=class_weights, label_smoothing=label_smoothing)
    own, other = (
        cross_entropy(logits, part, weight=class_weights, label_smoothing=label_smoothing, reduction="none")
        for part in (goal.targets, goal.others)
    )
    return (goal.share * own + (1 - goal.share) * other).sum() / goal.weight(class_weights)
