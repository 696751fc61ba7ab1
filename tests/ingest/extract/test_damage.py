"""Damaged files: pages or a reason; no hang, no crash of the parent, no swelling."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dunegpt.config import ExtractSettings
from dunegpt.ingest.extract import ExtractResult
from dunegpt.ingest.extract.sandbox import Sandbox
from tests.ingest.extract import samples
from tests.ingest.extract.test_extract import HTML, OCTETS, PDF, make_deck, make_pdf

SEEDS = {
    "pdf": PDF,
    "pptx": make_deck(),
    "docx": samples.docx(
        samples.paragraph("Head", "Head1") + samples.table(["a", "b"])
    ),
    "xlsx": samples.workbook(),
    "html": HTML.encode(),
    "eml": samples.MAIL,
    "log": samples.ELOG.encode(),
    "rst": samples.RST.encode(),
    "tex": samples.LATEX.encode(),
    "cxx": samples.CPP.encode(),
    "zip": samples.zipped(a_dot_pdf=PDF, b_dot_md=b"# Head\n\ntext"),
    "tar.gz": samples.tarred(a_dot_txt=b"text", b_dot_csv=b"a,b\n1,2\n"),
    "epub": samples.zipped(**samples.EPUB),
    "png": samples.picture("text", (200, 80)),
}
LIMITS = ExtractSettings(timeout_s=30, memory_mb=1024)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(LIMITS) as sandbox:
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


def unpacked(seed: bytes, data: st.DataObject) -> bytes:
    """Return an archive with one member damaged: what is behind the checksums."""
    with zipfile.ZipFile(io.BytesIO(seed)) as old:
        members = {info.filename: old.read(info) for info in old.infolist()}
    name = data.draw(st.sampled_from(sorted(members)))
    members[name] = data.draw(mutations(members[name]))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for member, content in members.items():
            new.writestr(member, content)
    return out.getvalue()


def check(found: ExtractResult) -> None:
    """Pages in order, all with text, or a reason; and what it was made with."""
    numbers = [page.number for page in found.pages]
    assert numbers == sorted(set(numbers))
    assert all(page.text.strip() for page in found.pages)
    assert bool(found.error) != bool(numbers)
    assert "crashed" not in found.error
    assert found.made_with


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(SEEDS))
@settings(max_examples=14, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_damage(sandbox: Sandbox, blob: Path, kind: str, data: st.DataObject) -> None:
    seed = SEEDS[kind]
    inside = seed.startswith(b"PK") and data.draw(st.booleans())
    content = unpacked(seed, data) if inside else data.draw(mutations(seed))
    blob.write_bytes(content)
    check(sandbox.extract(blob, f"a.{kind}", OCTETS))


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(SEEDS))
def test_the_same_twice(sandbox: Sandbox, blob: Path, kind: str) -> None:
    blob.write_bytes(SEEDS[kind])
    first = sandbox.extract(blob, f"a.{kind}", OCTETS)
    with Sandbox(LIMITS) as other:
        assert other.extract(blob, f"a.{kind}", OCTETS) == first


@pytest.mark.slow
@pytest.mark.parametrize(
    "content",
    [b"<html>" + b"<div>" * 50_000 + b"text", b"<html><p>&#xD800;&#0;&bogus; x</p>"],
)
def test_odd_html(sandbox: Sandbox, blob: Path, content: bytes) -> None:
    blob.write_bytes(content)
    found = sandbox.extract(blob, "a.html", "text/html")
    check(found)
    assert "".join(page.text for page in found.pages).encode() or found.error


@pytest.mark.slow
def test_a_zip_bomb(sandbox: Sandbox, blob: Path) -> None:
    """Half a gigabyte of zeros, twice: unpacked up to the limit, kept nowhere."""
    with zipfile.ZipFile(blob, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("a.txt", "before")
        for name in ("b.txt", "c.txt"):
            with archive.open(name, "w", force_zip64=True) as member:
                for _ in range(300):
                    member.write(bytes(1 << 20))
    found = sandbox.extract(blob, "a.zip", OCTETS)
    assert [page.text for page in found.pages] == ["before"]
    assert any("cut off at c.txt: over 500 MB unpacked" in r for r in found.remarks)
    assert "limits" in found.made_with


def test_an_xml_bomb(sandbox: Sandbox, blob: Path) -> None:
    entities = "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "ha" * 9}">' for n in range(12)
    )
    body = samples.docx(samples.paragraph("&e11;"))
    with (
        zipfile.ZipFile(io.BytesIO(body)) as old,
        zipfile.ZipFile(blob, "w") as new,
    ):
        for info in old.infolist():
            head = (
                f"<!DOCTYPE d [{entities}]>".encode()
                if "document" in info.filename
                else b""
            )
            new.writestr(info.filename, head + old.read(info))
    found = sandbox.extract(blob, "a.docx", OCTETS)
    assert "ntity" in found.error or found.error == "No page has any text."


@pytest.mark.slow
def test_a_deck_of_a_bomb(sandbox: Sandbox, blob: Path) -> None:
    """A part of a gigabyte in an office file: it ends in the limit on memory."""
    with zipfile.ZipFile(blob, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as member:
            member.write(b"<w>")
            for _ in range(900):
                member.write(b" " * (1 << 20))
    found = sandbox.extract(blob, "a.docx", OCTETS)
    assert "unpacks to over 200 MB" in found.error


@pytest.mark.slow
def test_a_long_pdf(tmp_path: Path) -> None:
    """1,600 pages: read one by one, in a child that may not hold them all."""
    line = "The drift field is 475 V/cm and the temperature 87 K in run"
    path = tmp_path / "long.pdf"
    path.write_bytes(make_pdf(*("\n".join([f"{line} {n}"] * 20) for n in range(1600))))
    with Sandbox(ExtractSettings(memory_mb=256)) as sandbox:
        found = sandbox.extract(path, "long.pdf", OCTETS)
    assert [page.number for page in found.pages] == list(range(1, 1601))
    assert (found.error, found.remarks) == ("", ())
