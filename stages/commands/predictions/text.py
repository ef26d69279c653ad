"""How `vision predict` goes on with a text, symbol by symbol."""

from typing import TYPE_CHECKING, Any

from stages.params.fields import did_you_mean
from stages.project.console import Refusal

if TYPE_CHECKING:
    from torch import Tensor

    from stages.models.checkpoint import Checkpoint

LENGTH = 200


def go_on(checkpoint: "Checkpoint", prompt: str, length: int, temperature: float, top_k: int, seed: int) -> str:
    """The prompt and what follows it: each symbol that is chosen is the network's next input.

    Args:
        checkpoint: of a text's model.
        prompt: one symbol or more, read from the zero state.
        length: symbols altogether, those of the prompt included.
        temperature: 0 chooses the likeliest symbol; else one is drawn by the softmax of the logits divided by it.
        top_k: draw among that many of the likeliest symbols, 0: among all.
        seed: of the draws.

    Raises:
        Refusal: the model has not learnt a symbol of the prompt, or the prompt is empty or too long.
    """
    import torch

    from stages.models.checkpoint import rebuild

    numbers = _numbers(checkpoint, prompt)
    if length < len(prompt):
        raise Refusal(f"--length is {length}, but the prompt alone has {len(prompt)} symbols")
    network: Any = rebuild(checkpoint)
    random = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        logits, state = network.advance(torch.tensor([numbers]), None)
        while len(numbers) < length:
            numbers.append(_chosen(logits[0, -1], temperature, top_k, random))
            logits, state = network.advance(torch.tensor([numbers[-1:]]), state)
    return "".join(checkpoint.class_names[number] for number in numbers)


def _numbers(checkpoint: "Checkpoint", prompt: str) -> list[int]:
    known = {symbol: number for number, symbol in enumerate(checkpoint.class_names)}
    if not prompt:
        raise Refusal("--prompt is empty; give one symbol at least, with which the text begins")
    for symbol in prompt:
        if symbol not in known:
            near = did_you_mean(symbol, [name for name in known if name.isprintable() and name != " "])
            raise Refusal(f"{symbol!r} of --prompt is not in the vocabulary of {checkpoint.name}; {near}")
    return [known[symbol] for symbol in prompt]


def _chosen(logits: "Tensor", temperature: float, top_k: int, random: Any) -> int:
    """The number of a symbol, by the logits (classes,) of all."""
    import torch

    if temperature == 0:
        return int(logits.argmax())
    values, symbols = logits.double().topk(min(top_k or len(logits), len(logits)))
    chances = ((values - values.max()) / temperature).softmax(0)  # the least temperature makes no infinity
    return int(symbols[torch.multinomial(chances, 1, generator=random)])
