"""Measures what an approximate index finds, against looking at every row.

Questions are titles and sentences of the corpus itself, in turn, sampled with a fixed
seed, or the lines of a file. The sets of rows that may be found are all, random shares
of them, and the neighbourhoods of one row each: a group's documents are about the
group's subject, which is where inverted files fail. Source: "Access filters break IVF"
in the architecture.
"""

import re
import shutil
from pathlib import Path

import numpy as np

from dunegpt.errors import ConfigError, IndexBrokenError
from dunegpt.index.snapshot import CURRENT, Snapshot
from dunegpt.index.vectors import Mask, Rows, Vectors

QUESTIONS = 60
_K = 10
_SHARES = (0.5, 0.1, 0.05, 0.01, 0.001)
_FEWEST_WORDS = 3
_SENTENCE = re.compile(r"[^.!?\n]{20,200}")


def read_questions(path: Path) -> list[str]:
    """Return the questions of a file: its lines, but for empty ones.

    Raises:
        ConfigError: The file cannot be read, or has no question.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigError(f"[index] recall_questions: {path}: {error}") from error
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise ConfigError(f"[index] recall_questions: {path} has no question.")
    return found


def check(
    folder: Path, least: float, questions: list[str] | None = None
) -> dict[str, float]:
    """Return the recall of a snapshot that is not published yet; remove a bad one.

    Args:
        folder: Of the snapshot.
        least: Recall@10 that each set must reach.
        questions: As of `recall`.

    Raises:
        IndexBrokenError: It misses too much.
    """
    snapshot = Snapshot(folder)
    found = recall(snapshot, questions)
    snapshot.close()
    if bad := {name: value for name, value in found.items() if value < least}:
        current = folder.parent / CURRENT
        if not (current.exists() and current.samefile(folder)):
            shutil.rmtree(folder)
        told = ", ".join(f"{value:.3f} ({name})" for name, value in bad.items())
        raise IndexBrokenError(
            f"The new index finds too little: recall@10 {told}, wanted {least}."
            " The old one stays.",
            hint="Raise [index] exact_up_to, so that all rows are looked at, or lower"
            " least_recall.",
        )
    return found


def recall(snapshot: Snapshot, questions: list[str] | None = None) -> dict[str, float]:
    """Return recall@10 by the set of rows that may be found.

    Args:
        snapshot: To measure; nothing is measured if every row is looked at.
        questions: In words; by default titles and sentences of the corpus.
    """
    if not snapshot.dense.covered:
        return {}
    rng = np.random.default_rng(0)
    live = np.asarray(snapshot.row_access) > 0
    texts = questions or _own(snapshot, rng.permutation(np.flatnonzero(live)))
    vectors = snapshot.encoder.queries(texts)
    found = {"all": _recall(snapshot, vectors, live)}
    for share in _SHARES:
        some = live & (rng.random(len(live)) < share)
        found[f"random {share:.1%}"] = _recall(snapshot, vectors, some)
        near = _topical(snapshot, live, share, rng)
        found[f"topical {share:.1%}"] = _recall(snapshot, vectors, near)
    return {name: round(value, 4) for name, value in found.items()}


def _own(snapshot: Snapshot, rows: Rows) -> list[str]:
    """Return questions from the first rows: titles of documents and sentences, in turn.

    Where a title has less than three words, or was taken before, a sentence is.
    """
    found: dict[str, None] = {}
    for row in rows.tolist():
        for number, passage in snapshot.store.passages([row]).values():
            title = snapshot.store.documents([number])[number].document.title.strip()
            sentences = _SENTENCE.findall(passage.text)
            is_new = title not in found and len(title.split()) >= _FEWEST_WORDS
            if len(found) % 2 == 0 and is_new:
                found[title] = None
            elif sentences:
                found[sentences[len(sentences) // 2].strip()] = None
        if len(found) == QUESTIONS:
            break
    return list(found)


def _topical(
    snapshot: Snapshot, live: Mask, share: float, rng: np.random.Generator
) -> Mask:
    """Return the rows nearest to a row: a share of all."""
    row = rng.choice(np.flatnonzero(live), 1)
    (vector,) = snapshot.dense.vectors(row)
    count = max(_K, int(share * live.sum()))
    rows, _ = snapshot.dense.search(vector, live, count, exact=True)
    near = np.zeros_like(live)
    near[rows] = True
    return near


def _recall(snapshot: Snapshot, vectors: Vectors, allowed: Mask) -> float:
    """Return the mean share of the ten true neighbours that are found."""
    shares = []
    for vector in vectors:
        true, _ = snapshot.dense.search(vector, allowed, _K, exact=True)
        found, _ = snapshot.dense.search(vector, allowed, _K)
        if len(true):
            shares.append(len(np.intersect1d(true, found)) / len(true))
    return float(np.mean(shares)) if shares else 1.0
