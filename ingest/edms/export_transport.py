"""The transport over a list exported by an administrator, and a folder of files.

Needs no service and no login. Each row is a version; columns may have several names.
What the list says about public access is not trusted: an anonymous download must prove
it. A file is used only if it is in the folder and exactly one version names it.
"""

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from dunegpt.errors import ExtractError, FetchError, SourceFormatError
from dunegpt.ingest.edms.transport import (
    NotOfferedError,
    ProjectNode,
    Unavailable,
    VersionFile,
    VersionRecord,
    version_sort_key,
)
from dunegpt.ingest.extract import encoding

COLUMNS = {
    "number": ("edms id", "edms no", "edms number", "edms", "id", "document id"),
    "version": ("version", "ver", "v", "version index", "document version"),
    "title": ("title", "document title", "name"),
    "kind": ("type", "document type", "doc type", "kind"),
    "status": ("status", "document status", "life cycle status"),
    "authors": ("authors", "author", "authors names"),
    "date": ("date", "status date", "creation date", "created", "last modified"),
    "description": ("description", "abstract"),
    "keywords": ("keywords", "keyword"),
    "context": ("context",),
    "project_number": ("project document number", "project number", "document number"),
    "equipment_code": ("equipment code",),
    "nodes": ("nodes", "node", "project", "projects", "structure", "parents"),
    "files": ("files", "file", "file names", "file name", "attachments"),
    "public": ("public", "public access", "access", "visibility"),
}
"""What a column may be called: in any case, with spaces, ``_``, ``-`` or nothing."""

_REQUIRED_COLUMNS = ("number", "version", "title", "status", "files")
_NUMBER = re.compile(r"^(?:edms[\s:#-]*)?(\d{1,9})$", re.I)
_DATE_FORMATS = ("%Y-%m-%d", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%Y", "%d-%b-%Y", "%Y/%m/%d")
_CHUNK_BYTES = 1 << 20
_MAX_LIST_BYTES = 512 << 20


@dataclass(slots=True)
class _ExportList:
    """What the list says, as of one reading."""

    versions_by_number: dict[str, dict[str, VersionRecord]] = field(
        default_factory=dict
    )
    bad_rows: dict[tuple[str, str], str] = field(default_factory=dict)
    unnumbered_rows: list[int] = field(default_factory=list)
    nodes: dict[str, set[str]] = field(default_factory=dict)
    versions_by_file: dict[Path, set[tuple[str, str]]] = field(default_factory=dict)


class ExportTransport:
    """Reads the list anew in each run."""

    is_local = True
    is_anonymous = False
    is_authoritative = True

    def __init__(self, path: Path, folder: Path) -> None:
        """Take where the list and the files are.

        Args:
            path: Of the list: CSV, or JSON with a list of objects.
            folder: With the files, as named, or below ``NUMBER/VERSION/``.
        """
        self._path, self._folder = path, folder
        self._export = _ExportList()
        self.problem = ""

    def open(self) -> None:
        """Read the list.

        Raises:
            SourceFormatError: It is not there, empty, cut short, or lacks columns.
        """
        if not self._folder.is_dir():
            raise SourceFormatError(
                f"There is no folder {self._folder}.",
                hint="Check files in the settings of the source; nothing was removed.",
            )
        read = _ExportList()
        for line, row in enumerate(_read_rows(self._path), start=1):
            self._add_row(read, line, row)
        if not read.versions_by_number:
            raise SourceFormatError(f"{self._path} lists no document.")
        self._export = read
        count = len(read.unnumbered_rows)
        told = f"{count} rows of {self._path.name} have no id or version:"
        rows = ", ".join(map(str, read.unnumbered_rows[:20]))
        self.problem = f"{told} {rows}." if read.unnumbered_rows else ""

    def document_numbers(self) -> frozenset[str]:
        """Return the numbers of the documents, those with a bad row too."""
        return frozenset(self._export.versions_by_number) | {
            own for own, _ in self._export.bad_rows
        }

    def get_node(self, ref: str) -> ProjectNode | Unavailable:
        """Return the documents that name a node."""
        found = self._export.nodes.get(ref)
        return (
            Unavailable.NOT_FOUND
            if found is None
            else ProjectNode(ref, "", (), tuple(sorted(found)))
        )

    def get_document(
        self, number: str, version: str = ""
    ) -> VersionRecord | Unavailable:
        """Return a version as it is listed.

        Raises:
            SourceFormatError: Its row cannot be used.
        """
        bad = {
            v: why for (own, v), why in self._export.bad_rows.items() if own == number
        }
        listed = self._export.versions_by_number.get(number, {})
        good = {v: doc for v, doc in listed.items() if v not in bad}
        if version in bad or (bad and not good):
            raise SourceFormatError(bad.get(version) or next(iter(bad.values())))
        version = version or max(good, key=version_sort_key, default="")
        if version not in good:
            return Unavailable.NOT_FOUND
        every = tuple(sorted({*good, *bad}, key=version_sort_key))
        own = good[version]
        files = tuple(self._build_file(own, f.name) for f in own.files or ())
        return replace(own, versions=every, files=files)

    def fetch_file(
        self, number: str, version: str, name: str, max_bytes: int
    ) -> Iterator[bytes]:
        """Yield the bytes of a file of the folder.

        Raises:
            FetchError: It is not there, not of this version alone, or too large.
        """
        path = self._resolve_path(number, version, name)
        try:
            with path.open("rb") as stream:
                if path.stat().st_size > max_bytes:
                    raise FetchError(f"The file is longer than {max_bytes:,} bytes.")
                while piece := stream.read(_CHUNK_BYTES):
                    yield piece
        except OSError as error:
            raise FetchError(f"Cannot read {path}: {error.strerror}.") from error

    def changed_since(self, moment: dt.datetime) -> frozenset[str]:
        """Tell that this cannot be told.

        Raises:
            NotOfferedError: Always.
        """
        raise NotOfferedError("an export has no changes")

    # ── rows ──────────────────────────────────────────────────────────────────────

    def _add_row(self, read: _ExportList, line: int, row: dict[str, str]) -> None:
        """Take in a row; several of one version add up if they say the same else."""
        number = _NUMBER.match(row["number"])
        if not number or not row["version"]:
            read.unnumbered_rows.append(line)
            return
        own, version = number[1], row["version"]
        doc = _parse_row(own, version, row)
        known = read.versions_by_number.setdefault(own, {}).get(version)
        if known and replace(known, files=(), nodes=(), raw="") != replace(
            doc, files=(), nodes=(), raw=""
        ):
            read.bad_rows[own, version] = (
                f"Row {line} of {self._path.name} and another one tell version"
                f" {version} of {own} differently."
            )
        if known:
            files = {f.name: f for f in (*(known.files or ()), *(doc.files or ()))}
            nodes = tuple(dict.fromkeys((*known.nodes, *doc.nodes)))
            doc = replace(known, files=tuple(files.values()), nodes=nodes)
        read.versions_by_number[own][version] = doc
        for ref in doc.nodes:
            read.nodes.setdefault(ref, set()).add(own)
        for file in doc.files or ():
            places = read.versions_by_file.setdefault(self._folder / file.name, set())
            places.add((own, version))

    def _build_file(self, doc: VersionRecord, name: str) -> VersionFile:
        """Return a file with what its folder says of it."""
        try:
            stat = self._resolve_path(doc.number, doc.version, name).stat()
        except (FetchError, OSError):
            return VersionFile(name)  # the fetch says what is wrong
        stamp = f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}"
        return VersionFile(name, stat.st_size, stamp)

    def _resolve_path(self, number: str, version: str, name: str) -> Path:
        """Return where a file is.

        Raises:
            FetchError: Outside of the folder, missing, or named by several versions.
        """
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts or "\\" in name or "\0" in name:
            raise FetchError(f"{name} is not inside the folder of files.")
        own = self._folder / number / version / name
        path = own if own.is_file() else self._folder / name
        if not path.is_file():
            raise FetchError(f"{name} is not in the folder of files.")
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise FetchError(f"{name} leads out of the folder of files.")
        if path != own and len(self._export.versions_by_file.get(path, ())) > 1:
            raise FetchError(
                f"{name} is named by several versions; put each into"
                " NUMBER/VERSION/ of the folder."
            )
        return path


def _parse_row(number: str, version: str, row: dict[str, str]) -> VersionRecord:
    """Return what a row says; a date of an unknown form costs a remark."""
    date, remarks = _parse_date(row.get("date", ""))
    return VersionRecord(
        number=number,
        version=version,
        title=row["title"],
        kind=row.get("kind", ""),
        status=row["status"],
        authors=_split_cell(row.get("authors", "")),
        date=date,
        description=row.get("description", ""),
        keywords=_split_cell(row.get("keywords", "")),
        context=row.get("context", ""),
        project_number=row.get("project_number", ""),
        equipment_code=row.get("equipment_code", ""),
        nodes=_split_cell(row.get("nodes", "")),
        files=tuple(map(VersionFile, _split_cell(row["files"]))),
        raw=json.dumps(row, ensure_ascii=False, sort_keys=True),
        remarks=remarks,
    )


def _split_cell(text: str) -> tuple[str, ...]:
    """Return the parts of a cell, split at semicolons, strokes and line ends."""
    parts = (part.strip() for part in re.split(r"[;|\n]", text))
    return tuple(dict.fromkeys(filter(None, parts)))


def _parse_date(text: str) -> tuple[dt.date | None, tuple[tuple[str, str], ...]]:
    """Return a day, if there is one, and what is to be said of it."""
    day = text.strip().replace("T", " ").partition(" ")[0]
    for form in _DATE_FORMATS if day else ():
        try:
            return dt.datetime.strptime(day, form).date(), ()
        except ValueError:
            continue
    told = f"{text!r} is no date of a known form; the document is here without it."
    return None, (("date", told),) if day else ()


# ── the list ──────────────────────────────────────────────────────────────────────────


def _read_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a list by our names of the columns; unknown ones by their own.

    Raises:
        SourceFormatError: It cannot be read, or lacks a column.
    """
    try:
        if path.stat().st_size > _MAX_LIST_BYTES:
            raise SourceFormatError(f"{path} is too large for a list.")
        text = encoding.decode(path.read_bytes())
    except OSError as error:
        raise SourceFormatError(
            f"The list {path} cannot be read: {error.strerror}.",
            hint="Check list in the settings of the source; nothing was removed.",
        ) from error
    except ExtractError as error:
        raise SourceFormatError(f"The list {path} is not text.") from error
    is_json = text.lstrip().startswith(("[", "{"))
    head, rows = _read_json(path, text) if is_json else _read_csv(path, text)
    ours = _map_columns(path, head)
    names = [ours.get(name, f"({name})") for name in head]
    for row in rows:
        yield dict(zip(names, row, strict=True))


def _read_csv(path: Path, text: str) -> tuple[list[str], Iterator[list[str]]]:
    first = text.lstrip("\ufeff").partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(
        io.StringIO(text.lstrip("\ufeff"), newline=""), delimiter=delimiter, strict=True
    )
    rows = _check_cells(path, reader)
    return next(rows, []), rows


def _check_cells(path: Path, reader: Any) -> Iterator[list[str]]:
    """Yield the lines of a CSV, all of one length.

    Raises:
        SourceFormatError: One is not, or it is no CSV.
    """
    length = 0
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            length = length or len(cells)
            if len(cells) != length:
                raise SourceFormatError(
                    f"Line {reader.line_num} of {path} has {len(cells)} cells, and its"
                    f" head {length}: is the list cut short?"
                )
            yield cells
    except csv.Error as error:
        raise SourceFormatError(
            f"Line {reader.line_num} of {path} is not CSV: {error}."
        ) from error


def _read_json(path: Path, text: str) -> tuple[list[str], Iterator[list[str]]]:
    try:
        told = json.loads(text)
    except ValueError as error:
        raise SourceFormatError(f"{path} is not JSON: {error}.") from error
    rows = told.get("documents") if isinstance(told, dict) else told
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise SourceFormatError(f"{path} contains no list of documents.")
    head = list(dict.fromkeys(name for row in rows for name in row))
    return head, ([_format_cell(row.get(name)) for name in head] for row in rows)


def _format_cell(value: Any) -> str:
    """Return a JSON value as a CSV would have it."""
    if isinstance(value, list):
        return ";".join(
            _format_cell(v.get("name", v.get("fileName")) if isinstance(v, dict) else v)
            for v in value
        )
    return "" if value is None else str(value).strip()


def _map_columns(path: Path, head: list[str]) -> dict[str, str]:
    """Return our names of a list's columns.

    Raises:
        SourceFormatError: One is missing, or two columns have one meaning.
    """
    plain = {re.sub(r"[\W_]+", "", name.casefold()): name for name in head}
    found: dict[str, str] = {}
    for ours, names in COLUMNS.items():
        wanted = [name.replace(" ", "") for name in names]
        here = [plain[name] for name in wanted if name in plain]
        if here:
            found[here[0]] = ours
    lacking = [
        COLUMNS[name][0] for name in _REQUIRED_COLUMNS if name not in found.values()
    ]
    if lacking:
        raise SourceFormatError(
            f"{path} has no column {', '.join(lacking)}; it has {', '.join(head)}.",
            hint="docs/sources/edms.md names the columns; nothing was removed.",
        )
    return found
