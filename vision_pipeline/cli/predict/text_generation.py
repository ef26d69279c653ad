"""Generation of text by a recurrent model, symbol by symbol."""

from typing import TYPE_CHECKING, Any

from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.core.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from vision_pipeline.models.checkpoint import Checkpoint

DEFAULT_LENGTH = 200


def generate_text(
    checkpoint: "Checkpoint", prompt: str, *, length: int, temperature: float, top_k: int, seed: int
) -> str:
    """Continue a text: each symbol that is chosen becomes the network's next input.

    Args:
        checkpoint: a model of a text.
        prompt: the beginning of the text, one symbol or more, which the network reads from its zero state.
        length: number of symbols of the result, those of the prompt included.
        temperature: 0 chooses the most probable symbol; else the logits are divided by it, and one is sampled.
        top_k: number of the most probable symbols to sample from; 0 for all.
        seed: seed of the sampling.

    Returns:
        The prompt and the text that follows.

    Raises:
        UserError: a symbol of the prompt is not in the model's vocabulary, or the prompt is empty or too long.
    """
    import torch

    from vision_pipeline.models.checkpoint import build_from_checkpoint

    token_ids = _encode_prompt(checkpoint, prompt)
    if length < len(prompt):
        raise UserError(f"--length is {length}, but the prompt alone has {len(prompt)} symbols")
    network: Any = build_from_checkpoint(checkpoint)
    generator = torch.Generator().manual_seed(seed)
    with torch.inference_mode():
        logits, state = network.forward_with_state(torch.tensor([token_ids]), None)
        while len(token_ids) < length:
            token_ids.append(_sample_next_token(logits[0, -1], temperature, top_k, generator))
            logits, state = network.forward_with_state(torch.tensor([token_ids[-1:]]), state)
    return "".join(checkpoint.class_names[token_id] for token_id in token_ids)


def _encode_prompt(checkpoint: "Checkpoint", prompt: str) -> list[int]:
    id_by_token = {token: token_id for token_id, token in enumerate(checkpoint.class_names)}
    if not prompt:
        raise UserError("--prompt is empty; give one symbol at least, with which the text begins")
    for token in prompt:
        if token not in id_by_token:
            hint = did_you_mean(token, [name for name in id_by_token if name.isprintable() and name != " "])
            raise UserError(f"{token!r} of --prompt is not in the vocabulary of {checkpoint.name}; {hint}")
    return [id_by_token[token] for token in prompt]


def _sample_next_token(logits: "Tensor", temperature: float, top_k: int, generator: Any) -> int:
    """Return the index of a symbol, sampled by the logits (classes,)."""
    import torch

    if temperature == 0:
        return int(logits.argmax())
    top_logits, top_token_ids = logits.double().topk(min(top_k or len(logits), len(logits)))
    # without the largest logit, the smallest temperature gives no infinity
    probabilities = ((top_logits - top_logits.max()) / temperature).softmax(0)
    return int(top_token_ids[torch.multinomial(probabilities, 1, generator=generator)])
