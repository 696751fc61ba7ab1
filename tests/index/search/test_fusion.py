"""Fusion, worked out by hand."""

import numpy as np
import pytest

from dunegpt.index.search.fusion import fuse_scores


def scores(*values: float) -> np.typing.NDArray[np.float32]:
    return np.array(values, np.float32)


def test_worked_example() -> None:
    """Rows 0 and 1 share a record; row 2 is a record of its own.

    own:  .6 lex + .4 (.5 passage + .5 record)
      row 0: .6 * .8 + .4 * (.5 * .2 + .5 * .6) = .64
      row 1: .6 * .4 + .4 * (.5 * .9 + .5 * .6) = .54
      row 2: .6 * .0 + .4 * (.5 * .4 + .5 * .2) = .12
    the record's best parts: .6 * .8 + .4 * (.5 * .9 + .5 * .6) = .78
    """
    found = fuse_scores(
        scores(0.8, 0.4, 0.0),
        scores(0.2, 0.9, 0.4),
        scores(0.6, 0.6, 0.2),
        np.array([7, 7, 3], np.int64),
    )
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx([0.78, 0.78 - 0.10, 0.12])


def test_scores_do_not_depend_on_other_records() -> None:
    alone = fuse_scores(scores(0.5), scores(0.4), scores(0.3), np.array([1], np.int64))
    both = fuse_scores(
        scores(0.9, 0.5), scores(0.9, 0.4), scores(0.9, 0.3), np.array([0, 1], np.int64)
    )
    assert both[1] == alone[0]


def test_nothing() -> None:
    none = scores()
    assert fuse_scores(none, none, none, np.empty(0, np.int64)).size == 0
