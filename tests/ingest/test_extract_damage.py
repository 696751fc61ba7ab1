"""Damaged files: pages or a reason; no hang, no crash of the parent, no swelling."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dunegpt.config import ExtractTable
from dunegpt.ingest.extract import Extracted
from dunegpt.ingest.extract.sandbox import Sandbox
from tests.ingest.test_extract import HTML, OCTETS, PDF, make_deck


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(ExtractTable(timeout_s=60)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def blob(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutated") / "blob"


@st.composite
def mutations(draw: st.DrawFn, seed: bytes) -> bytes:
    """Bytes overwritten, cut out, put in or put twice; sometimes cut off."""
    content = bytearray(seed)
    for _ in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 60))
        piece = draw(st.binary(max_size=12)) or bytes(content[at : at + length]) * 2
        content[at : at + length] = piece
    return bytes(content[: len(content) // 2] if draw(st.booleans()) else content)


@pytest.mark.parametrize("kind", ["pdf", "pptx", "html"])
@settings(max_examples=14, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage(sandbox: Sandbox, blob: Path, kind: str, data: st.DataObject) -> None:
    seed = {"pdf": PDF, "pptx": make_deck(), "html": HTML.encode()}[kind]
    blob.write_bytes(data.draw(mutations(seed)))
    check(sandbox.extract(blob, f"a.{kind}", OCTETS))


def check(found: Extracted) -> None:
    """Pages in order, all with text, or a reason; and what it was made with."""
    numbers = [page.number for page in found.pages]
    assert numbers == sorted(set(numbers))
    assert all(page.text.strip() for page in found.pages)
    assert bool(found.error) != bool(numbers)
    assert found.made_with


@pytest.mark.parametrize(
    "content",
    [b"<html>" + b"<div>" * 50_000 + b"text", b"<html><p>&#xD800;&#0;&bogus; x</p>"],
)
def test_odd_html(sandbox: Sandbox, blob: Path, content: bytes) -> None:
    blob.write_bytes(content)
    found = sandbox.extract(blob, "a.html", "text/html")
    check(found)
    assert "".join(page.text for page in found.pages).encode() or found.error
