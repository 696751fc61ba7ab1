"""Detects the media type of a file from its first bytes, name and claimed type.

The type claimed by a server or browser is often wrong, so the bytes take precedence.
"""

import re
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from struct import Struct

from dunegpt.errors import ExtractError
from dunegpt.files import host_error
from dunegpt.ingest.extract import encoding
from dunegpt.ingest.extract.registry import FORMATS

UNKNOWN = "application/octet-stream"

_OOXML = "application/vnd.openxmlformats-officedocument."
_ZIP_MEMBERS = {
    "ppt/presentation.xml": f"{_OOXML}presentationml.presentation",
    "word/document.xml": f"{_OOXML}wordprocessingml.document",
    "word/document2.xml": f"{_OOXML}wordprocessingml.document",
    "xl/workbook.xml": f"{_OOXML}spreadsheetml.sheet",
    "xl/workbook.bin": "application/vnd.ms-excel.sheet.binary.macroenabled.12",
}
_ZIP_MEMBER = b"PK\x03\x04"
_ZIP_HEADER = Struct("<6xH10xI4xHH")
"""Flags, compressed size, length of the name and of what follows it."""
_SIZE_FOLLOWS = 1 << 3
_OLE_STREAMS = {
    "EncryptedPackage": "encrypted",
    "WordDocument": "application/msword",
    "PowerPoint Document": "application/vnd.ms-powerpoint",
    "Workbook": "application/vnd.ms-excel",
    "Book": "application/vnd.ms-excel",
    "__properties_version1.0": "application/vnd.ms-outlook",
}
_MAGIC_BYTES = {
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
_SECTION_SUFFIXES = frozenset({"", ".txt", ".md", ".markdown", ".rst", ".tex", ".ltx"})
_CODE_SUFFIXES = (
    ".py .c .cc .cpp .cxx .h .hh .hpp .hxx .icc .cu .f .f90 .f77 .for .java .js .ts"
    " .go .rs .rb .pl .pm .r .jl .m .sh .bash .zsh .tcl .sql .cmake .fcl .yaml .yml"
    " .toml .ini .cfg .json .xml .xsd .gdml .scala .kt .swift .lua .proto .make .mk"
).split()
_TYPES_BY_SUFFIX = {
    **dict.fromkeys(_CODE_SUFFIXES, _SOURCE),
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".rst": "text/x-rst",
    ".tex": "application/x-tex",
    ".ltx": "application/x-tex",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".eml": "message/rfc822",
    ".mbox": "application/mbox",
    ".ics": "text/calendar",
    ".htm": "text/html",
    ".html": "text/html",
    ".xhtml": "text/html",
}
_CALENDAR = b"BEGIN:VCALENDAR"
_HTML_STARTS = (b"<!doctype html", b"<html")
_MAIL_HEADER = re.compile(
    rb"(?:(?:Received|Return-Path|MIME-Version|Message-ID|Date|Subject|From|To|Cc"
    rb"|Delivered-To|X-[\w-]+|DKIM-Signature|Content-Type): ?[^\r\n]*\r?\n"
    rb"(?:[ \t][^\r\n]*\r?\n)*){3}",
    re.I,
)


def detect_media_type(path: Path, name: str, claimed: str) -> str:
    """Return the media type of a file.

    Raises:
        ExtractError: The whole file is encrypted, or it is a damaged archive.
    """
    with path.open("rb") as file:
        head = file.read(4096)
    if binary_type := _detect_binary(path, head):
        return binary_type
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_HTML_STARTS):
        return "text/html"
    if not encoding.is_text(head):
        return claimed if claimed not in FORMATS else UNKNOWN
    return _detect_text(head, name, claimed)


def is_source(name: str) -> bool:
    """Return whether the file name is that of source code or configuration."""
    path = PurePosixPath(name)
    return (
        _TYPES_BY_SUFFIX.get(path.suffix.lower()) == _SOURCE
        or path.name in _SOURCE_NAMES
    )


def has_sections(name: str) -> bool:
    """Return whether each page of such a file is a section with its first line.

    The page text may omit or rewrite lines of the file.
    """
    return PurePosixPath(name).suffix.lower() in _SECTION_SUFFIXES


def _detect_binary(path: Path, head: bytes) -> str:
    """Return the type identified by magic bytes, or an empty string."""
    if _is_pdf(head):
        return "application/pdf"
    if head.startswith(_ZIP_MEMBER):
        return _peek_zip(head) or _detect_zip(path)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _detect_ole(path)
    for start, kind in _MAGIC_BYTES.items():
        if head.startswith(start):
            return kind
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    return "application/x-tar" if head[257:262] == b"ustar" else ""


def _detect_text(head: bytes, name: str, claimed: str) -> str:
    """Return the type of a file that looks like text."""
    suffix = PurePosixPath(name).suffix.lower()
    if head.startswith(b"$@MID@$:"):
        return "text/x-elog"
    is_calendar = head.removeprefix(b"\xef\xbb\xbf").upper().startswith(_CALENDAR)
    if is_calendar or suffix in _TYPES_BY_SUFFIX:
        return "text/calendar" if is_calendar else _TYPES_BY_SUFFIX[suffix]
    if _MAIL_HEADER.match(head):
        return "message/rfc822"
    if head.startswith(b"From ") and _MAIL_HEADER.search(head[:1000]):
        return "application/mbox"
    if PurePosixPath(name).name in _SOURCE_NAMES:
        return _SOURCE
    if head.startswith(b"#!") and not suffix:
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
    """Return whether a file is a PDF; readers allow junk before the signature.

    A text file that merely mentions the signature is not a PDF.
    """
    at = head[:1024].find(b"%PDF-")
    return at >= 0 and (at < 8 or not encoding.is_text(head))


def _peek_zip(head: bytes) -> str:
    """Return the type that the names of the first members tell; empty if they do not.

    Office documents begin with a few small members, and need not be opened twice.
    """
    at = 0
    while head.startswith(_ZIP_MEMBER, at) and at + _ZIP_HEADER.size <= len(head):
        flags, size, name_size, extra_size = _ZIP_HEADER.unpack_from(head, at)
        begin = at + _ZIP_HEADER.size
        name = head[begin : begin + name_size].decode("utf-8", "replace")
        if name in _ZIP_MEMBERS:
            return _ZIP_MEMBERS[name]
        if flags & _SIZE_FOLLOWS:
            break
        at = begin + name_size + extra_size + size
    return ""


def _detect_zip(path: Path) -> str:
    """Return the document type in a zip container, or the type of a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            declared = b""
            if "mimetype" in names:
                with archive.open("mimetype") as member:
                    declared = member.read(200)
    except (zipfile.BadZipFile, NotImplementedError, OSError, RuntimeError) as error:
        raise ExtractError(f"The archive is damaged: {error}.") from error
    for member_name, member_type in _ZIP_MEMBERS.items():
        if member_name in names:
            return member_type
    declared_type = declared.decode("ascii", "replace").strip()
    return declared_type if declared_type in FORMATS else "application/zip"


def _detect_ole(path: Path) -> str:
    """Return the legacy Microsoft type stored in an OLE compound file."""
    import olefile  # noqa: PLC0415 - start-up time

    try:
        with olefile.OleFileIO(str(path)) as compound:
            names = {entry[0] for entry in compound.listdir()}
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ExtractError(f"The file is damaged: {error}.") from error
    for name, kind in _OLE_STREAMS.items():
        if name in names:
            if kind == "encrypted":
                raise ExtractError("The file is encrypted with a password.")
            return kind
    return "application/x-ole-storage"


def is_tar(path: Path) -> bool:
    """Return whether a file, compressed or not, is a tar archive."""
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError, ValueError) as error:
        if refused := host_error(error, path):
            raise refused from error
        return False
