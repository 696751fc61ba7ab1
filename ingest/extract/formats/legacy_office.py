"""Legacy and OpenDocument office formats, converted by LibreOffice if it is installed.

LibreOffice converts the file to a format read here. It runs under the limits of this
process, with a fresh profile that disables macros, links and updates.
"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

from dunegpt.errors import ExtractError
from dunegpt.ingest.extract import programs
from dunegpt.ingest.extract.programs import LIBREOFFICE
from dunegpt.ingest.extract.registry import FORMATS
from dunegpt.ingest.extract.scratch import scratch_folder
from dunegpt.ingest.extract.task import ExtractTask
from dunegpt.types import Page

_OOXML = "application/vnd.openxmlformats-officedocument."
_PPTX_TARGET = ("pptx", f"{_OOXML}presentationml.presentation")
_DOCX_TARGET = ("docx", f"{_OOXML}wordprocessingml.document")
_PRESENTATION_TYPES = {
    "application/vnd.ms-powerpoint",
    "application/vnd.oasis.opendocument.presentation",
}
_SUFFIXES = {
    "application/vnd.ms-powerpoint": "ppt",
    "application/vnd.oasis.opendocument.presentation": "odp",
    "application/msword": "doc",
    "application/rtf": "rtf",
    "application/vnd.oasis.opendocument.text": "odt",
}
_PROFILE_SETTINGS = {
    "Common/Security/Scripting": {
        "MacroSecurityLevel": "3",
        "DisableMacrosExecution": "true",
        "BlockUntrustedRefererLinks": "true",
        "DisableActiveContent": "true",
    },
    "Common/Load": {"UpdateDocMode": "0"},
    "Writer/Content/Update": {"Link": "0"},
}


def read_pages(task: ExtractTask) -> Iterator[Page]:
    """Yield the pages of the converted file.

    Raises:
        ExtractError: LibreOffice is not installed, or cannot read the file.
    """
    program = task.require_program(LIBREOFFICE)
    if program is None:
        raise ExtractError(
            f"Reading .{_SUFFIXES[task.media_type]} files needs LibreOffice,"
            " which is absent."
        )
    suffix, kind = (
        _PPTX_TARGET if task.media_type in _PRESENTATION_TYPES else _DOCX_TARGET
    )
    with scratch_folder(task.limits.max_file_mb) as folder:
        converted = _convert(task, program, folder, suffix)
        part = task.subtask(converted, task.name, kind)
        part.images_read = task.images_read
        target_format = FORMATS[kind]
        task.made_with[target_format.name] = target_format.version
        yield from target_format.read_pages(part)
        task.merge(part)
        task.remarks += part.remarks


def _convert(task: ExtractTask, program: str, folder: Path, suffix: str) -> Path:
    source = folder / f"source.{_SUFFIXES[task.media_type]}"
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
        suffix,
        "--outdir",
        str(folder / "out"),
        str(source),
    ]
    try:
        result = subprocess.run(
            command,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=task.limits.timeout_s * 0.9,
            env=programs.build_environment(folder),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        task.is_transient = True
        raise ExtractError("LibreOffice took too long to read the file.") from error
    converted = folder / "out" / f"source.{suffix}"
    if not converted.is_file():
        task.is_transient = task.is_transient or result.returncode < 0
        raise ExtractError(
            "LibreOffice cannot read the file: it is damaged, encrypted, or larger"
            f" than the limits allow (exit code {result.returncode})."
        )
    return converted


def _write_profile(profile: Path) -> None:
    """Write a LibreOffice profile that disables active content in documents."""
    items = "".join(
        f'<item oor:path="/org.openoffice.Office.{path}"><prop oor:name="{name}"'
        f' oor:op="fuse"><value>{value}</value></prop></item>'
        for path, switches in _PROFILE_SETTINGS.items()
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
