"""The interface of an EDMS transport, and the records that it returns.

A transport is read-only. There are four: the SOAP services, recorded answers of these,
URLs of public files, and a list exported by an administrator. Does not depend on access
rules or the catalog. Version strings are strings: "1", "0.1", "2.6", "AE".
"""

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Protocol


class Unavailable(StrEnum):
    """Why nothing is told of a document or a node."""

    NOT_FOUND = "not found"
    CLOSED = "closed to us"


class NotOfferedError(Exception):
    """The transport has no such question; the caller does without."""


@dataclass(frozen=True, slots=True)
class VersionFile:
    """One file of a version.

    Attributes:
        stamp: Changes when the file does: a claimed checksum, size and date; empty
            where nothing is told.
        rendition: Name of the PDF that EDMS made of it; empty if none is told.
    """

    name: str
    size_bytes: int | None = None
    stamp: str = ""
    rendition: str = ""


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One version of one document, as it was told.

    Attributes:
        versions: All versions that are told; None where the transport does not tell.
        nodes: Project nodes that it is said to be in; a node's own list counts.
        project_number: The number that the project gave it (``LHC-PM-QA-202``).
        files: None where the transport cannot list them.
        raw: The answer, with what is not understood.
        remarks: What could not be understood, by the part that it is about.
    """

    number: str
    version: str
    title: str = ""
    kind: str = ""
    status: str = ""
    authors: tuple[str, ...] = ()
    date: dt.date | None = None
    description: str = ""
    keywords: tuple[str, ...] = ()
    context: str = ""
    project_number: str = ""
    equipment_code: str = ""
    versions: tuple[str, ...] | None = None
    nodes: tuple[str, ...] = ()
    files: tuple[VersionFile, ...] | None = ()
    raw: str = ""
    remarks: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ProjectNode:
    """A project node: the nodes and the documents below it, by their numbers."""

    ref: str
    title: str
    nodes: tuple[str, ...]
    documents: tuple[str, ...]
    raw: str = ""


class Transport(Protocol):
    """Read-only access to one EDMS.

    Attributes:
        is_local: Requests cost nothing, so each run reads everything.
        is_anonymous: Its files are downloaded without a login.
        is_authoritative: Its list was made for this purpose, and counts like settings.
        problem: Rows of its list that name no document; empty if there are none.
    """

    is_local: bool
    is_anonymous: bool
    is_authoritative: bool
    problem: str

    def open(self) -> None:
        """Look whether there is something to read, before anything is concluded.

        Raises:
            SourceError: There is not.
        """

    def document_numbers(self) -> frozenset[str]:
        """Return the numbers of all documents that it lists; none if it cannot."""

    def get_node(self, ref: str) -> ProjectNode | Unavailable:
        """Return a project node.

        Raises:
            SourceError: It cannot be told.
        """

    def get_document(
        self, number: str, version: str = ""
    ) -> VersionRecord | Unavailable:
        """Return a version of a document, the latest if none is named.

        Raises:
            SourceError: It cannot be told.
        """

    def fetch_file(
        self, number: str, version: str, name: str, max_bytes: int
    ) -> Iterator[bytes]:
        """Yield the bytes of a file.

        Raises:
            FetchError: It cannot be had.
            SourceError: No file can be had at present.
        """

    def changed_since(self, moment: dt.datetime) -> frozenset[str]:
        """Return the numbers of documents that changed since then.

        Raises:
            NotOfferedError: There is no such question.
            SourceError: It cannot be told.
        """


# ── versions ──────────────────────────────────────────────────────────────────────────


def version_sort_key(version: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Return what version strings are sorted by: numbers as such, letters after.

    >>> sorted(["AE", "10", "B", "2", "0.1", "2.6"], key=version_sort_key)
    ['0.1', '2', '2.6', '10', 'B', 'AE']
    """
    parts = re.findall(r"\d+|[^\W\d_]+", version)
    keys = (
        (0, int(part), "") if part.isdecimal() else (1, len(part), part.casefold())
        for part in parts
    )
    return tuple(keys), version


def previous_version(version: str) -> str:
    """Return the version that a whole number follows; empty if there is none."""
    is_number = version.isascii() and version.isdecimal()
    return str(int(version) - 1) if is_number and int(version) > 0 else ""


# ── files ─────────────────────────────────────────────────────────────────────────────

_CAD_SUFFIXES = frozenset(
    ".3dm .3dxml .asm .catdrawing .catpart .catproduct .cgr .drw .dwf .dwg .dxf .edrw"
    " .iam .idw .ifc .iges .igs .ipt .jt .model .nwc .nwd .par .plt .prt .rfa .rvt .sab"
    " .sat .skp .sldasm .slddrw .sldprt .step .stl .stp .vda .wrl .x_b .x_t".split()
)
_READABLE_SUFFIXES = frozenset(
    ".pdf .docx .docm .pptx .pptm .ppsx .xlsx .xlsm .xlsb .xls .ods .csv .tsv .txt"
    " .md .rst .tex .html .htm .epub .eml .msg .py .c .cc .cpp .h .hpp .xml .json"
    " .yaml .yml .toml .ini .cfg".split()
)
_RENDITION = re.compile(r"^(?P<stem>.+)_(?P<ending>[A-Za-z0-9]{1,11})_cpdf\.pdf$")


def file_suffix(name: str) -> str:
    """Return the ending of a file's name, lower-cased, with its dot."""
    return PurePosixPath(name).suffix.casefold()


def is_cad(name: str) -> bool:
    """Return whether a file is a model or a drawing that nothing here reads."""
    return file_suffix(name) in _CAD_SUFFIXES


def native_name(name: str) -> str:
    """Return the name of the file that a rendition was made of; empty if it is none.

    >>> native_name("Cavern model_docx_cpdf.pdf")
    'Cavern model.docx'
    """
    found = _RENDITION.match(name)
    return f"{found['stem']}.{found['ending']}" if found else ""


def choose_files(
    files: tuple[VersionFile, ...],
) -> tuple[tuple[VersionFile, ...], dict[str, str]]:
    """Return the files to read, and why each of the others is left out, by name.

    Of a native file and its rendition one is read: the native one if that can be read
    here without another program.
    """
    names = {file.name.casefold(): file.name for file in files}
    pairs: dict[str, str] = {}
    for file in files:
        native = names.get(native_name(file.name).casefold())
        if native:
            pairs[native] = file.name
        rendition = names.get(file.rendition.casefold())
        if rendition and file.name not in {rendition, pairs.get(rendition)}:
            pairs[file.name] = rendition
    left: dict[str, str] = {}
    for native, rendition in pairs.items():
        if file_suffix(native) in _READABLE_SUFFIXES:
            left[rendition] = f"the rendition of {native}, which is read itself"
        else:
            left[native] = f"read as its rendition {rendition}"
    return tuple(file for file in files if file.name not in left), left
