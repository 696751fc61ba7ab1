"""What a format is told, and what comes of one file.

A format gets a `Task` and yields pages. What it leaves out it says with `remark`, and
what other programs its output depends on it says by asking for them with `use`.
"""

from dataclasses import dataclass, field
from pathlib import Path

from dunegpt.config import ExtractTable
from dunegpt.ingest.extract import tools
from dunegpt.types import Page


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a file became.

    Attributes:
        pages: Those that hold text, in order.
        remarks: What is missing from the pages, and why; for the ledger.
        made_with: Versions of all that the result depends on but the file itself.
        error: Why there are no pages; empty if there are some.
    """

    pages: tuple[Page, ...] = ()
    remarks: tuple[str, ...] = ()
    made_with: dict[str, str] = field(default_factory=dict)
    error: str = ""


@dataclass(slots=True)
class Task:
    """One file to read.

    Attributes:
        path: Where the bytes are; its name says nothing.
        name: As the home system shows it; of an archive's member, its path there.
        kind: What it is.
        depth: Number of archives around it.
    """

    path: Path
    name: str
    kind: str
    limits: ExtractTable = field(default_factory=ExtractTable)
    depth: int = 0
    remarks: list[str] = field(default_factory=list)
    made_with: dict[str, str] = field(default_factory=dict)
    images_read: int = 0

    def remark(self, text: str) -> None:
        """Say once what the pages lack."""
        if text not in self.remarks:
            self.remarks.append(text)

    def use(self, tool: str) -> str | None:
        """Return the path of a program, or None if it is not installed.

        Either way the result now depends on that program's version.
        """
        self.made_with[tool] = tools.version(tool)
        return tools.path(tool)

    def limited(self, text: str) -> None:
        """Say what a limit of the settings has cut off; the result depends on them."""
        self.made_with["limits"] = limits_id(self.limits)
        self.remark(text)

    def part(self, path: Path, name: str, kind: str) -> "Task":
        """Return the task of reading a file made from this one or held by it."""
        return Task(path, name, kind, self.limits, self.depth + 1)

    def join(self, part: "Task") -> None:
        """Take over what the result of a part depends on."""
        self.made_with |= part.made_with
        self.images_read += part.images_read


def limits_id(limits: ExtractTable) -> str:
    """Return the limits that can change a result, as one word."""
    values = limits.model_dump(exclude={"workers"}).values()
    return "/".join(str(value) for value in values)
