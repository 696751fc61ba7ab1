"""What statuses mean, and where a reader sees it."""

import pytest

from dunegpt.access import NOBODY
from dunegpt.cli import render_answer
from dunegpt.document_status import (
    APPROVED,
    UNAPPROVED,
    WITHDRAWN,
    classify_status,
    format_status,
)
from dunegpt.schemas.reading import DocumentResponse
from dunegpt.types import Document


@pytest.mark.parametrize(
    ("status", "means", "shown"),
    [
        ("Released", "approved", "Released"),
        ("approved", "approved", "approved"),
        ("In Work", "not approved", "In Work (not approved)"),
        ("IN_WORK", "not approved", "IN_WORK (not approved)"),
        (
            "Draft  For Discussion",
            "not approved",
            "Draft  For Discussion (not approved)",
        ),
        ("Engineering Check", "not approved", "Engineering Check (not approved)"),
        ("Under Approval", "not approved", "Under Approval (not approved)"),
        ("Not approved", "not approved", "Not approved"),
        ("Obsolete", "withdrawn", "Obsolete (withdrawn)"),
        ("Withdrawn", "withdrawn", "Withdrawn"),
        ("Approval rejected", "withdrawn", "Approval rejected (withdrawn)"),
        ("Signed by hand", "", "Signed by hand"),
        ("", "", ""),
    ],
)
def test_what_a_status_means(status: str, means: str, shown: str) -> None:
    assert classify_status(status) == means
    assert format_status(status) == shown


def test_each_word_means_one_thing() -> None:
    assert not (APPROVED & WITHDRAWN or APPROVED & UNAPPROVED or WITHDRAWN & UNAPPROVED)
    every = APPROVED | WITHDRAWN | UNAPPROVED
    assert all(word == " ".join(word.casefold().split()) for word in every)


def test_a_citation_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    document = Document("edms:1:1", "edms", "note", "x", "A", NOBODY, status="In Work")
    shape = DocumentResponse.from_document(document)
    assert (shape.status, shape.standing) == ("In Work", "not approved")
    assert "In Work (not approved)" in render_answer._format_heading(shape)
