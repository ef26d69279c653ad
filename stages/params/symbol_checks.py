"""That texts and sequences of symbols go to models that can read them."""

from collections.abc import Iterator

from stages.params.data import Prepare, PrepareText
from stages.params.models import AnyModel, Recurrent
from stages.params.schema import Params
from stages.params.training import Train


def no_images(params: Params, name: str) -> str:
    """What a data set holds instead of images; "" where it holds some, or is not there."""
    dataset = params.datasets.get(name)
    if dataset is None or isinstance(dataset.prepare, Prepare):
        return ""
    return "a text" if isinstance(dataset.prepare, PrepareText) else "sequences of symbols"


def recurrent_problems(params: Params, key: str, model: AnyModel) -> Iterator[str]:
    """That symbols are read by a recurrent network, and a text in steps."""
    symbols = no_images(params, model.dataset)
    if not isinstance(model, Recurrent):
        yield f"{key}.architecture is {model.architecture!r}, but {model.dataset!r} is {symbols}; allowed: 'recurrent'"
        return
    if symbols == "a text" and model.steps == 0:
        yield f"{key}.steps is 0; a text needs the number of symbols that the gradient goes back, such as 64"
    if symbols == "a text" and model.fraction < 1:
        yield f"{key}.fraction is {model.fraction:g}, but a text is read from its start to its end, so: 1.0"
    if symbols and model.synthetic != "none":
        yield f"{key}.synthetic is {model.synthetic!r}, but {model.dataset!r} is {symbols}; a generator makes images"
    if symbols != "a text" and model.steps > 0:
        yield f"{key}.steps is {model.steps}, but only a text is read in steps, so: 0"
    if symbols and isinstance(model.train, Train):
        yield from (
            f"{key}.train.{name} is {value}; symbols cannot be mixed, nor their steps compiled, so: {none}"
            for name, value, none in (
                ("mixup", model.train.mixup, "0"),
                ("cutmix", model.train.cutmix, "0"),
                ("compile", str(model.train.compile).lower(), "false"),
            )
            if value not in (0, "false")
        )
