"""The formats that can be read, one line each: what to add a format to.

Nothing is imported before a file needs it: a parent process knows the versions only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from dunegpt.ingest.extract.task import Task
from dunegpt.types import Page

Reader = Callable[[Task], Iterator[Page]]

TYPES = "2"
"""Version of `kinds`: raise it when files that had no known type get one."""


@dataclass(frozen=True, slots=True)
class Format:
    """One format.

    Attributes:
        name: For people, and the name of the module beside this one.
        version: Part of the key of its output: raise it when that changes.
    """

    name: str
    version: str

    @property
    def pages(self) -> Reader:
        """The function that yields the pages of a file."""
        module = import_module(f"dunegpt.ingest.extract.{self.name}")
        reader: Reader = module.pages
        return reader


_OOXML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

PDF = Format("pdf", "2")
PPTX = Format("pptx", "2")
DOCX = Format("docx", "1")
SHEETS = Format("sheets", "1")
HTML = Format("html", "2")
EPUB = Format("epub", "1")
MARKDOWN = Format("markdown", "2")
RST = Format("rst", "1")
LATEX = Format("latex", "1")
TEXT = Format("text", "2")
CODE = Format("code", "2")
TABLE = Format("delimited", "1")
MAIL = Format("mail", "1")
OUTLOOK = Format("outlook", "1")
ELOG = Format("logbook", "1")
IMAGE = Format("image", "1")
LEGACY = Format("legacy", "1")
ARCHIVE = Format("archive", "1")

FORMATS: dict[str, Format] = {
    "application/pdf": PDF,
    f"{_OOXML}presentationml.presentation": PPTX,
    f"{_OOXML}wordprocessingml.document": DOCX,
    f"{_OOXML}spreadsheetml.sheet": SHEETS,
    "application/vnd.ms-excel": SHEETS,
    "application/vnd.ms-excel.sheet.binary.macroenabled.12": SHEETS,
    f"{_ODF}spreadsheet": SHEETS,
    "text/html": HTML,
    "application/epub+zip": EPUB,
    "text/markdown": MARKDOWN,
    "text/x-rst": RST,
    "application/x-tex": LATEX,
    "text/plain": TEXT,
    "text/x-source": CODE,
    "text/csv": TABLE,
    "text/tab-separated-values": TABLE,
    "message/rfc822": MAIL,
    "application/mbox": MAIL,
    "application/vnd.ms-outlook": OUTLOOK,
    "text/x-elog": ELOG,
    "image/png": IMAGE,
    "image/jpeg": IMAGE,
    "image/tiff": IMAGE,
    "image/gif": IMAGE,
    "image/bmp": IMAGE,
    "image/webp": IMAGE,
    "application/msword": LEGACY,
    "application/vnd.ms-powerpoint": LEGACY,
    "application/rtf": LEGACY,
    f"{_ODF}text": LEGACY,
    f"{_ODF}presentation": LEGACY,
    "application/zip": ARCHIVE,
    "application/x-tar": ARCHIVE,
}
