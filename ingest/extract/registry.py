"""The registry of supported formats; add a new format here.

Format modules are imported only when a file needs them; the parent needs versions only.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

PageReader = Callable[[ExtractTask], Iterator[Page]]

TYPES_VERSION = "3"
"""Version of `media_type`: raise it when files of unknown type become known."""


@dataclass(frozen=True, slots=True)
class Format:
    """A supported file format.

    Attributes:
        name: Part of the cache key of the output, with the version. Never change it:
            every file of the format would be extracted again.
        version: Raise it when the output changes.
        module: Module name in `formats`, if it differs from `name`.
    """

    name: str
    version: str
    module: str = ""

    @property
    def read_pages(self) -> PageReader:
        """The function that yields the pages of a file."""
        name = self.module or self.name
        module = import_module(f"dunegpt.ingest.extract.formats.{name}")
        reader: PageReader = module.read_pages
        return reader


_OOXML = "application/vnd.openxmlformats-officedocument."
_ODF = "application/vnd.oasis.opendocument."

PDF = Format("pdf", "5")
PPTX = Format("pptx", "5")
DOCX = Format("docx", "4")
SHEETS = Format("sheets", "3", "spreadsheet")
HTML = Format("html", "5")
EPUB = Format("epub", "4")
MARKDOWN = Format("markdown", "4")
RST = Format("rst", "3")
LATEX = Format("latex", "4")
TEXT = Format("text", "3", "plain_text")
CODE = Format("code", "3")
TABLE = Format("delimited", "3")
MAIL = Format("mail", "3")
CALENDAR = Format("calendar", "1")
OUTLOOK = Format("outlook", "2")
ELOG = Format("logbook", "2", "elog")
IMAGE = Format("image", "1")
LEGACY = Format("legacy", "1", "legacy_office")
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
    "text/calendar": CALENDAR,
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
