"""Measures the recall of the approximate (IVF) search against exact search.

Queries are titles and sentences of the corpus, alternating and sampled with a fixed
seed, or the lines of a file. Recall is measured with all rows allowed, with random
shares of them, and with the neighbourhood of one row: the documents of a group share a
subject, which is where inverted files fail. Source: "Access filters break IVF" in the
architecture.
"""

import shutil
from pathlib import Path

import numpy as np

from dunegpt.datadir import CURRENT
from dunegpt.errors import ConfigError, IndexBrokenError
from dunegpt.files import damaged
from dunegpt.index.snapshot.snapshot import Snapshot
from dunegpt.index.snapshot.vectors import Mask, Rows, Vectors
from dunegpt.text.patterns import compile_re

MAX_QUESTIONS = 60
_K = 10
_SHARES = (0.5, 0.1, 0.05, 0.01, 0.001)
_MIN_TITLE_WORDS = 3
_SENTENCE = compile_re(r"[^.!?\n]{20,200}")


def read_questions(path: Path) -> list[str]:
    """Return the non-empty lines of a file of questions.

    Raises:
        ConfigError: The file cannot be read, or has no question.
    """
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError) as error:
        message = f"[index] recall_questions: {path}: {error}"
        raise damaged(error, message, path=path, kind=ConfigError) from error
    questions = [line.strip() for line in lines if line.strip()]
    if not questions:
        raise ConfigError(f"[index] recall_questions: {path} has no question.")
    return questions


def check_recall(
    folder: Path, least: float, questions: list[str] | None = None
) -> dict[str, float]:
    """Return the recall of an unpublished snapshot; remove it if recall is too low.

    Args:
        folder: Folder of the snapshot.
        least: Recall@10 required for each set of allowed rows.
        questions: As in `measure_recall`.

    Raises:
        IndexBrokenError: Recall is below the threshold.
    """
    snapshot = Snapshot(folder)
    recall = measure_recall(snapshot, questions)
    snapshot.close()
    if bad := {name: value for name, value in recall.items() if value < least}:
        current = folder.parent / CURRENT
        if not (current.exists() and current.samefile(folder)):
            shutil.rmtree(folder)
        low = ", ".join(f"{value:.3f} ({name})" for name, value in bad.items())
        raise IndexBrokenError(
            f"The recall of the new index is too low: recall@10 {low}, required"
            f" {least}. The old index stays in use.",
            hint="Raise [index] exact_up_to (exact search), or lower least_recall.",
        )
    return recall


def measure_recall(
    snapshot: Snapshot, questions: list[str] | None = None
) -> dict[str, float]:
    """Return recall@10 by the name of the set of allowed rows.

    Args:
        snapshot: Snapshot to measure. If its search is exact, the result is empty.
        questions: Texts to search for; by default titles and sentences of the corpus.
    """
    if not snapshot.dense.ivf_rows:
        return {}
    rng = np.random.default_rng(0)
    live = np.asarray(snapshot.row_access) > 0
    texts = questions or _sample_questions(
        snapshot, rng.permutation(np.flatnonzero(live))
    )
    vectors = snapshot.encoder.embed_queries(texts)
    recall = {"all": _compute_recall(snapshot, vectors, live)}
    for share in _SHARES:
        sample = live & (rng.random(len(live)) < share)
        recall[f"random {share:.1%}"] = _compute_recall(snapshot, vectors, sample)
        topical = _select_topical_rows(snapshot, live, share, rng)
        recall[f"topical {share:.1%}"] = _compute_recall(snapshot, vectors, topical)
    return {name: round(value, 4) for name, value in recall.items()}


def _sample_questions(snapshot: Snapshot, rows: Rows) -> list[str]:
    """Return titles and sentences from the first rows, alternating.

    A sentence replaces a title that is too short or was used before.
    """
    questions: dict[str, None] = {}
    for row in rows.tolist():
        for number, passage in snapshot.store.get_passages([row]).values():
            title = snapshot.store.get_documents([number])[
                number
            ].document.title.strip()
            sentences = _SENTENCE.findall(passage.text)
            is_new = title not in questions and len(title.split()) >= _MIN_TITLE_WORDS
            if len(questions) % 2 == 0 and is_new:
                questions[title] = None
            elif sentences:
                questions[sentences[len(sentences) // 2].strip()] = None
        if len(questions) == MAX_QUESTIONS:
            break
    return list(questions)


def _select_topical_rows(
    snapshot: Snapshot, live: Mask, share: float, rng: np.random.Generator
) -> Mask:
    """Return a mask of the rows nearest to a random row, a share of all live rows."""
    row = rng.choice(np.flatnonzero(live), 1)
    (vector,) = snapshot.dense.get_vectors(row)
    count = max(_K, int(share * live.sum()))
    rows, _ = snapshot.dense.search(vector, live, count, exact=True)
    mask = np.zeros_like(live)
    mask[rows] = True
    return mask


def _compute_recall(snapshot: Snapshot, vectors: Vectors, allowed: Mask) -> float:
    """Return the mean share of the ten exact neighbours that the search finds."""
    shares = []
    for vector in vectors:
        exact_rows, _ = snapshot.dense.search(vector, allowed, _K, exact=True)
        rows, _ = snapshot.dense.search(vector, allowed, _K)
        if len(exact_rows):
            shares.append(len(np.intersect1d(exact_rows, rows)) / len(exact_rows))
    return float(np.mean(shares)) if shares else 1.0
