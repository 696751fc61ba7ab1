"""The input (`ExtractTask`) and result (`ExtractResult`) of extracting one file.

A format receives an `ExtractTask` and yields pages. It reports what it leaves out with
`remark`, and declares the external programs its output depends on by requesting them
with `require_program`.
"""

from dataclasses import dataclass, field
from pathlib import Path

from dunegpt.config import ExtractSettings
from dunegpt.ingest.extract import programs
from dunegpt.types import Page


@dataclass(frozen=True, slots=True)
class ExtractResult:
    """The result of extracting a file.

    Attributes:
        pages: The pages that have text, in order.
        remarks: What is missing from the pages and why, for the ledger.
        made_with: Versions of everything the result depends on besides the file.
        error: Why there are no pages; empty if there are any.
        is_transient: Whether another attempt may succeed: a crash, a timeout, lack of
            memory or a refusal of the operating system, not the content of the file.
    """

    pages: tuple[Page, ...] = ()
    remarks: tuple[str, ...] = ()
    made_with: dict[str, str] = field(default_factory=dict)
    error: str = ""
    is_transient: bool = False


@dataclass(slots=True)
class ExtractTask:
    """A file to extract.

    Attributes:
        path: File with the bytes; its own name is meaningless.
        name: File name in the source system, or the path of an archive member.
        media_type: Detected media type.
        depth: Number of enclosing archives.
        is_transient: Whether a remark is due to the host, not to the file.
    """

    path: Path
    name: str
    media_type: str
    limits: ExtractSettings = field(default_factory=ExtractSettings)
    depth: int = 0
    remarks: list[str] = field(default_factory=list)
    made_with: dict[str, str] = field(default_factory=dict)
    images_read: int = 0
    is_transient: bool = False

    def remark(self, text: str) -> None:
        """Record once what is missing from the pages."""
        if text not in self.remarks:
            self.remarks.append(text)

    def require_program(self, tool: str) -> str | None:
        """Return the path of a program, or None if it is not installed.

        Either way, the result then depends on the version of the program.
        """
        self.made_with[tool] = programs.version(tool)
        return programs.path(tool)

    def remark_limit(self, text: str) -> None:
        """Record what a limit cut off; the result then depends on the limits."""
        self.made_with["limits"] = format_limits(self.limits)
        self.remark(text)

    def remark_transient(self, text: str) -> None:
        """Record what another attempt may read: a program crashed or took too long."""
        self.is_transient = True
        self.remark(text)

    def subtask(self, path: Path, name: str, kind: str) -> "ExtractTask":
        """Return the task for a file converted from this one or contained in it."""
        depth, count = self.depth + 1, self.images_read
        return ExtractTask(
            path, name, kind, self.limits, depth=depth, images_read=count
        )

    def merge(self, part: "ExtractTask") -> None:
        """Add the dependencies and transient faults of a subtask.

        A subtask goes on with the picture count of its task.
        """
        self.made_with |= part.made_with
        self.images_read = max(self.images_read, part.images_read)
        self.is_transient = self.is_transient or part.is_transient


def format_limits(limits: ExtractSettings) -> str:
    """Return the limits that can change a result, as one string."""
    values = limits.model_dump(exclude={"workers", "describe_figures"}).values()
    return "/".join(str(value) for value in values)
