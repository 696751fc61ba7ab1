"""Older and open office formats to pages, through LibreOffice where it is installed.

LibreOffice makes a file of a format that is read here; it gets a new profile in which
macros, links and updates are off, and the limits of this process.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import tools
from dunegpt.ingest.extract.formats import FORMATS
from dunegpt.ingest.extract.scratch import scratch
from dunegpt.ingest.extract.task import Task
from dunegpt.ingest.extract.tools import LIBREOFFICE
from dunegpt.types import Page

_OOXML = "application/vnd.openxmlformats-officedocument."
_DECK = ("pptx", f"{_OOXML}presentationml.presentation")
_DOCUMENT = ("docx", f"{_OOXML}wordprocessingml.document")
_DECKS = {
    "application/vnd.ms-powerpoint",
    "application/vnd.oasis.opendocument.presentation",
}
_ENDINGS = {
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/msword": "doc",
    "application/rtf": "rtf",
    "application/vnd.oasis.opendocument.text": "odt",
}
_SWITCHES = {
    "Common/Security/Scripting": {
        "MacroSecurityLevel": "3",
        "DisableMacrosExecution": "true",
        "BlockUntrustedRefererLinks": "true",
        "DisableActiveContent": "true",
    },
    "Common/Load": {"UpdateDocMode": "0"},
    "Writer/Content/Update": {"Link": "0"},
}


def pages(task: Task) -> Iterator[Page]:
    """Yield the pages of the file that LibreOffice makes of this one.

    Raises:
        ExtractError: LibreOffice is absent, or cannot read the file.
    """
    program = task.use(LIBREOFFICE)
    if program is None:
        raise ExtractError(
            f"Reading .{_ENDINGS[task.kind]} files needs LibreOffice, which is absent."
        )
    ending, kind = _DECK if task.kind in _DECKS else _DOCUMENT
    with scratch(task.limits.max_file_mb) as folder:
        made = _converted(task, program, folder, ending)
        part = task.part(made, task.name, kind)
        part.images_read = task.images_read
        found = FORMATS[kind]
        task.made_with[found.name] = found.version
        yield from found.pages(part)
        task.join(part)
        task.remarks += part.remarks


def _converted(task: Task, program: str, folder: Path, ending: str) -> Path:
    source = folder / f"source.{_ENDINGS[task.kind]}"
    source.symlink_to(task.path.resolve())
    profile = folder / "profile"
    _write_profile(profile)
    command = [
        program,
        f"-env:UserInstallation={profile.as_uri()}",
        "--headless",
        "--norestore",
        "--nolockcheck",
        "--convert-to",
        ending,
        "--outdir",
        str(folder / "out"),
        str(source),
    ]
    try:
        done = subprocess.run(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=task.limits.timeout_s * 0.9,
            env=tools.environment(folder),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ExtractError("LibreOffice took too long to read the file.") from error
    made = folder / "out" / f"source.{ending}"
    if not made.is_file():
        raise ExtractError(
            "LibreOffice cannot read the file: it is damaged, encrypted, or larger"
            f" than the limits allow (exit code {done.returncode})."
        )
    return made


def _write_profile(profile: Path) -> None:
    """Write settings that switch off what a file could make LibreOffice do."""
    items = "".join(
        f'<item oor:path="/org.openoffice.Office.{path}"><prop oor:name="{name}"'
        f' oor:op="fuse"><value>{value}</value></prop></item>'
        for path, switches in _SWITCHES.items()
        for name, value in switches.items()
    )
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(
        '<?xml version="1.0" encoding="UTF-8"?>\n<oor:items'
        ' xmlns:oor="http://openoffice.org/2001/registry"'
        ' xmlns:xs="http://www.w3.org/2001/XMLSchema"'
        f' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{items}</oor:items>',
        encoding="utf-8",
    )
