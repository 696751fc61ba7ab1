"""What the command line prints of an answer."""

import pytest

from dunegpt.cli.render_answer import print_event
from dunegpt.types import Withdrawn


def test_withdrawn_references_are_named_by_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_event(Withdrawn(frozenset({4, 2})))
    printed = "".join(capsys.readouterr())
    assert "Withdrawn: [2][4], and what is said above from it." in printed
