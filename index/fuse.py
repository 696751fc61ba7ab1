"""Joins what words and vectors say of passages into one score between queries alike.

    score = .6 lex + .4 den
    lex   = share of the highest BM25 score that any passage could have, 0..1
    den   = .5 cos(query, passage) + .5 cos(query, record of the passage)

A record's score takes its best passage for each part. Source: "Start from this" in the
measurements on retrieval: nDCG@10 .578 against .543 for reciprocal rank fusion, mean of
five development sets. Shares of .4 to .6 are equally good in the mean; at .6 no set is
worse than its better part (docs/decisions/0025-fusion.md).
"""

import numpy as np

from dunegpt.index.lexical import Rows, Scores

LEXICAL_SHARE = 0.6
RECORD_SHARE = 0.5


def fused(lexical: Scores, passage: Scores, record: Scores, of_record: Rows) -> Scores:
    """Return one score for each passage.

    The best passage of a record gets the score of the record; its others stay as far
    behind it as they are by their own scores.

    Args:
        lexical: Share of the highest score, for each passage.
        passage: Cosine of query and passage.
        record: Cosine of query and the passage's record.
        of_record: Number of the passage's record.
    """
    if not len(of_record):
        return np.empty(0, np.float32)
    _, group = np.unique(of_record, return_inverse=True)
    own = _score(lexical, passage, record)
    best = _score(_most(lexical, group), _most(passage, group), record)
    return np.asarray(best - (_most(own, group) - own), dtype=np.float32)


def _score(lexical: Scores, passage: Scores, record: Scores) -> Scores:
    dense = (1 - RECORD_SHARE) * passage + RECORD_SHARE * record
    return np.asarray(LEXICAL_SHARE * lexical + (1 - LEXICAL_SHARE) * dense)


def _most(values: Scores, group: Rows) -> Scores:
    """Return for each element the greatest value in its group."""
    greatest = np.full(group.max() + 1, -np.inf, np.float32)
    np.maximum.at(greatest, group, values)
    return np.asarray(greatest[group])
