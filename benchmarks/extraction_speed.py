"""Compares the CPU time of extraction with that of another checkout, format by format.

    python -m benchmarks.extraction_speed DATA --against CLONE [--also FOLDER ...]
        [--formats pdf,docx] [--rounds N] [--json OUT]

DATA and each FOLDER hold files, in any depth; DATA may be a tar archive. Each checkout
runs in this interpreter, in the child process that extracts files. In turns with the
other one it reads all files of a format, small ones several times, after one reading
that does not count. What counts is the median of a file's CPU seconds in that process,
of files in which both find pages; on a busy machine the least of them tells more
("fastest"). Pictures are not recognized. A mail is also read as a copy with its plain
text only (`plain-mail`), as attachments were not always read.
"""

import argparse
import email
import email.policy
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from email.message import EmailMessage
from pathlib import Path
from statistics import median
from typing import Any, Self

from benchmarks.extraction import folder_of

_WORKER = "dunegpt.ingest.extract.worker"
_ALL_THREADS = 2
_TURN_S = 0.02
_PLAIN_MAIL = "plain-mail"
_FAMILIES = {"eml": "mail", "mbox": "mail", "htm": "html", "yml": "yaml"}

Figures = dict[str, dict[str, Any]]


def main() -> None:
    """Print a line for each format, and write the results if requested."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--against", type=Path, required=True, metavar="CLONE")
    parser.add_argument("--also", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--formats", default="", help="such as pdf,docx; default all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    wanted = set(filter(None, arguments.formats.split(",")))
    with ExitStack() as stack:
        folders = [stack.enter_context(folder_of(arguments.data)), *arguments.also]
        plain = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        groups = group_files(folders, plain)
        result = compare(
            {
                name: files
                for name, files in groups.items()
                if not wanted or name in wanted
            },
            arguments.against,
            arguments.rounds,
        )
    print_table(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1, ensure_ascii=False))


def group_files(folders: list[Path], plain: Path) -> dict[str, list[Path]]:
    """Return the files of each format by ending, and plain copies of the mails."""
    groups: dict[str, list[Path]] = defaultdict(list)
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            ending = path.suffix.lower().lstrip(".")
            if path.is_file() and ending and path.name != "manifest.jsonl":
                groups[_FAMILIES.get(ending, ending)].append(path)
    for number, path in enumerate(groups.get("mail", [])):
        if content := write_plain_mail(path.read_bytes()):
            copy = plain / f"{number}.eml"
            copy.write_bytes(content)
            groups[_PLAIN_MAIL].append(copy)
    return dict(sorted(groups.items()))


def write_plain_mail(content: bytes) -> bytes:
    """Return a mail with its first plain text as the only part; empty without one."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    if not isinstance(message, EmailMessage):
        return b""
    try:
        body = message.get_body(("plain",))
        text = str(body.get_content()) if body else ""
    except (LookupError, ValueError, AttributeError):
        return b""
    if not text.strip():
        return b""
    plain = EmailMessage()
    for name in ("From", "To", "Date", "Subject"):
        try:
            plain[name] = str(message.get(name, ""))
        except (ValueError, IndexError, AttributeError, TypeError):
            continue
    plain.set_content(text)
    return bytes(plain)


class _Reader:
    """The child process of a checkout that extracts files."""

    def __init__(self, checkout: Path, scratch: Path) -> None:
        # Python looks for modules in the current folder first.
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                _WORKER,
                json.dumps({"ocr_images": 0}),
                str(scratch),
            ],
            cwd=checkout,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        # As clock_getcpuclockid(3) makes it, on Linux.
        self._clock = (~self._process.pid << 3) | _ALL_THREADS

    def read(self, path: Path) -> tuple[float, int]:
        """Return CPU seconds and the number of pages, 0 if the file failed.

        Raises:
            SystemExit: The process ended.
        """
        begin, count = time.clock_gettime(self._clock), 0
        for kind, *_ in self._ask(path):
            count += kind == "page"
        return time.clock_gettime(self._clock) - begin, count

    def read_repeatedly(self, path: Path) -> list[float]:
        """Return the CPU seconds of some readings, the more the shorter they are."""
        times = [self.read(path)[0]]
        while sum(times) < _TURN_S:
            times.append(self.read(path)[0])
        return times

    def _ask(self, path: Path) -> Iterator[list[Any]]:
        """Yield the messages about a file, up to the last one."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests and answers
        request = {"path": str(path.resolve()), "name": path.name, "media_type": ""}
        requests.write(json.dumps(request) + "\n")
        requests.flush()
        for line in answers:
            message = json.loads(line)
            yield message
            if message[0] in {"end", "error"}:
                return
        raise SystemExit(f"The reader ended on {path.name}.")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        self._process.kill()
        self._process.communicate()


def compare(groups: dict[str, list[Path]], against: Path, rounds: int) -> Figures:
    """Return the figures of each format: files, pages, CPU seconds, and their ratio."""
    here = Path(__file__).resolve().parents[1]
    with (
        tempfile.TemporaryDirectory() as folder,
        _Reader(here, Path(folder)) as own,
        _Reader(against, Path(folder)) as other,
    ):
        return {
            name: _compare_files(files, own, other, rounds)
            for name, files in groups.items()
        }


def _compare_files(
    files: list[Path], own: _Reader, other: _Reader, rounds: int
) -> dict[str, Any]:
    """Return the figures of a format; each round reads all files with both readers."""
    readers = (own, other)
    counts = [[reader.read(path)[1] for path in files] for reader in readers]
    both = [at for at in range(len(files)) if counts[0][at] and counts[1][at]]
    times: list[list[list[float]]] = [[[] for _ in both] for _ in readers]
    for number in range(rounds):
        for side in (0, 1) if number % 2 else (1, 0):
            for found, at in zip(times[side], both, strict=True):
                found.extend(readers[side].read_repeatedly(files[at]))
    totals = [sum(median(each) for each in found) for found in times]
    fastest = [sum(min(each) for each in found) for found in times]
    return {
        "files": len(both),
        "pages": [sum(found[at] for at in both) for found in counts],
        "cpu_s": [round(total, 3) for total in totals],
        "ratio": round(totals[0] / totals[1], 3) if both else None,
        "ratio_of_fastest": round(fastest[0] / fastest[1], 3) if both else None,
    }


def print_table(result: Figures) -> None:
    """Print pages per CPU second here and there, and how many times as slow it is."""
    for line in _iter_lines(result):
        print(line)


def _iter_lines(result: Figures) -> Iterator[str]:
    yield f"{'':22} files  pages  pages/CPU s  before  CPU s now/before   fastest"
    for name, own in result.items():
        if not own["files"]:
            continue
        speeds = [
            count / max(seconds, 1e-6)
            for count, seconds in zip(own["pages"], own["cpu_s"], strict=True)
        ]
        yield (
            f"{name:22} {own['files']:5} {own['pages'][0]:6} {speeds[0]:12.1f}"
            f" {speeds[1]:7.1f} {own['ratio']:17.3f}"
            f" {own['ratio_of_fastest']:9.3f}"
        )


if __name__ == "__main__":
    main()
