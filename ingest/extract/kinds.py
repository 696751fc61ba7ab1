"""Tells what a file is: by its first bytes, then by its name, then by what was claimed.

What a web server or a browser claims is often wrong, so bytes win.
"""

import re
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import encoding
from dunegpt.ingest.extract.formats import FORMATS

UNKNOWN = "application/octet-stream"

_OOXML = "application/vnd.openxmlformats-officedocument."
_ZIPPED = {
    "ppt/presentation.xml": f"{_OOXML}presentationml.presentation",
    "word/document.xml": f"{_OOXML}wordprocessingml.document",
    "word/document2.xml": f"{_OOXML}wordprocessingml.document",
    "xl/workbook.xml": f"{_OOXML}spreadsheetml.sheet",
    "xl/workbook.bin": "application/vnd.ms-excel.sheet.binary.macroenabled.12",
}
_OLE = {
    "EncryptedPackage": "encrypted",
    "WordDocument": "application/msword",
    "PowerPoint Document": "application/vnd.ms-powerpoint",
    "Workbook": "application/vnd.ms-excel",
    "Book": "application/vnd.ms-excel",
    "__properties_version1.0": "application/vnd.ms-outlook",
}
_STARTS = {
    b"{\\rtf": "application/rtf",
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"II*\0": "image/tiff",
    b"MM\0*": "image/tiff",
    b"GIF8": "image/gif",
    b"\x1f\x8b": "application/x-tar",
    b"BZh": "application/x-tar",
    b"\xfd7zXZ\0": "application/x-tar",
}
_SOURCE = "text/x-source"
_SOURCE_NAMES = frozenset({"Makefile", "CMakeLists.txt", "Dockerfile"})
_SECTIONS = frozenset({"", ".txt", ".md", ".markdown", ".rst", ".tex", ".ltx"})
_CODE = (
    ".py .c .cc .cpp .cxx .h .hh .hpp .hxx .icc .cu .f .f90 .f77 .for .java .js .ts"
    " .go .rs .rb .pl .pm .r .jl .m .sh .bash .zsh .tcl .sql .cmake .fcl .yaml .yml"
    " .toml .ini .cfg .json .xml .xsd .gdml .scala .kt .swift .lua .proto .make .mk"
).split()
_ENDINGS = {
    **dict.fromkeys(_CODE, _SOURCE),
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".rst": "text/x-rst",
    ".tex": "application/x-tex",
    ".ltx": "application/x-tex",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".eml": "message/rfc822",
    ".mbox": "application/mbox",
    ".htm": "text/html",
    ".html": "text/html",
    ".xhtml": "text/html",
}
_HTML_STARTS = (b"<!doctype html", b"<html")
_MAIL = re.compile(
    rb"(?:(?:Received|Return-Path|MIME-Version|Message-ID|Date|Subject|From|To|Cc"
    rb"|Delivered-To|X-[\w-]+|DKIM-Signature|Content-Type): ?[^\r\n]*\r?\n"
    rb"(?:[ \t][^\r\n]*\r?\n)*){3}",
    re.I,
)


def media_type(path: Path, name: str, claimed: str) -> str:
    """Return what a file is.

    Raises:
        ExtractError: It is encrypted as a whole, or a broken archive.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if found := _binary(path, head):
        return found
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_HTML_STARTS):
        return "text/html"
    if not encoding.is_text(head):
        return claimed if claimed not in FORMATS else UNKNOWN
    return _text(head, name, claimed)


def is_source(name: str) -> bool:
    """Return whether a file of that name is source code or settings."""
    path = PurePosixPath(name)
    return _ENDINGS.get(path.suffix.lower()) == _SOURCE or path.name in _SOURCE_NAMES


def has_sections(name: str) -> bool:
    """Return whether a page of such a file is a section, with the line it begins on.

    Its text leaves lines of the file out, or makes others of them.
    """
    return PurePosixPath(name).suffix.lower() in _SECTIONS


def _binary(path: Path, head: bytes) -> str:
    """Return the type that magic bytes tell, or an empty text."""
    if _is_pdf(head):
        return "application/pdf"
    if head.startswith(b"PK\x03\x04"):
        return _zip_type(path)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _ole_type(path)
    for start, kind in _STARTS.items():
        if head.startswith(start):
            return kind
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return "application/x-tar" if head[257:262] == b"ustar" else ""


def _text(head: bytes, name: str, claimed: str) -> str:
    """Return the type of a file that looks like text."""
    ending = PurePosixPath(name).suffix.lower()
    if head.startswith(b"$@MID@$:"):
        return "text/x-elog"
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    if _MAIL.match(head):
        return "message/rfc822"
    if head.startswith(b"From ") and _MAIL.search(head[:1000]):
        return "application/mbox"
    if PurePosixPath(name).name in _SOURCE_NAMES:
        return _SOURCE
    if head.startswith(b"#!") and not ending:
        return _SOURCE
    if claimed.startswith("text/") and claimed in FORMATS:
        return claimed
    textual = claimed.startswith(("text/", "message/")) or claimed in {
        UNKNOWN,
        "",
        "application/json",
        "application/xml",
    }
    return "text/plain" if textual else claimed


def _is_pdf(head: bytes) -> bool:
    """Return whether a file is a PDF; readers allow for junk before its mark.

    A text that speaks of the mark is none: junk is not text.
    """
    at = head[:1024].find(b"%PDF-")
    return at >= 0 and (at < 8 or not encoding.is_text(head))


def _zip_type(path: Path) -> str:
    """Return which format a zip archive holds, or that it is an archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            kind = b""
            if "mimetype" in names:
                with archive.open("mimetype") as member:
                    kind = member.read(200)
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError) as error:
        raise ExtractError(f"The archive is damaged: {error}.") from error
    for member_name, found in _ZIPPED.items():
        if member_name in names:
            return found
    said = kind.decode("ascii", "replace").strip()
    return said if said in FORMATS else "application/zip"


def _ole_type(path: Path) -> str:
    """Return which of Microsoft's older formats a compound file holds."""
    import olefile  # noqa: PLC0415 - start-up time

    try:
        with olefile.OleFileIO(str(path)) as compound:
            names = {entry[0] for entry in compound.listdir()}
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ExtractError(f"The file is damaged: {error}.") from error
    for name, kind in _OLE.items():
        if name in names:
            if kind == "encrypted":
                raise ExtractError("The file is encrypted with a password.")
            return kind
    return "application/x-ole-storage"


def is_tar(path: Path) -> bool:
    """Return whether a compressed or plain file is a tar archive."""
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError, ValueError):
        return False
