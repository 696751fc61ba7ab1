"""The reader while it is trained: MiniLM that reads a question and a candidate."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from groups import Group
from torch import nn
from transformers import AutoModel

MAX_TOKENS = 96


class Reader(nn.Module):
    """MiniLM with one logit for a pair: of its first token and the mean of all."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.encoder = AutoModel.from_pretrained(base, add_pooling_layer=False)
        self.head = nn.Linear(2 * self.encoder.config.hidden_size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def freeze(self, layers: int) -> None:
        """Train all but the embeddings and the first layers."""
        self.requires_grad_(requires_grad=True)
        for part in (self.encoder.embeddings, *self.encoder.encoder.layer[:layers]):
            part.requires_grad_(requires_grad=False)

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        token_type_ids: torch.Tensor,
    ) -> torch.Tensor:
        """Return the logits, float32 [pairs, 1]."""
        states = self.encoder(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
        ).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return self.head(torch.cat([states[:, 0], mean], dim=-1))


def encode(tokenizer: Any, groups: Sequence[Group]) -> Any:
    """Return the tokens of all pairs of some groups."""
    questions = [g.question for g in groups for _ in g.sentences]
    texts = [
        f"{context}. {sentence}"
        for g in groups
        for context, sentence in zip(g.contexts, g.sentences, strict=True)
    ]
    return tokenizer(
        questions,
        texts,
        truncation="longest_first",
        max_length=MAX_TOKENS,
        padding=True,
        return_tensors="pt",
    )


def compute_logits(
    model: Reader, tokenizer: Any, groups: Sequence[Group]
) -> torch.Tensor:
    """Return the logits of all pairs of some groups, float32 [pairs].

    Pairs of similar length share a batch, which keeps padding small.
    """
    tokens = encode(tokenizer, groups)
    lengths = tokens["attention_mask"].sum(1)
    order = lengths.argsort()
    parts = []
    for rows in order.chunk(3):
        cut = {
            name: value[rows, : lengths[rows].max()] for name, value in tokens.items()
        }
        with torch.autocast("cpu", dtype=torch.bfloat16):
            parts.append(model(**cut).squeeze(-1).float())
    return torch.cat(parts)[order.argsort()]


def score(
    model: Reader, tokenizer: Any, groups: Sequence[Group], batch: int = 16
) -> Iterator[list[float]]:
    """Yield the logits of the candidates of each group."""
    model.eval()
    with torch.no_grad():
        for group in groups:
            logits: list[float] = []
            for start in range(0, len(group.sentences), batch):
                part = group.pick(
                    list(range(start, min(start + batch, len(group.sentences))))
                )
                logits += compute_logits(model, tokenizer, [part]).tolist()
            yield logits
