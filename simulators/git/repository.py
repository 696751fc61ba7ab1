"""A real git repository in a folder: commits, renames, odd names, rewritten history."""

import os
import subprocess
from pathlib import Path

_QUIET = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada Okonjo",
    "GIT_AUTHOR_EMAIL": "ada@larch.test",
    "GIT_COMMITTER_NAME": "Ada Okonjo",
    "GIT_COMMITTER_EMAIL": "ada@larch.test",
    "LC_ALL": "C.UTF-8",
}


class Repository:
    """A working copy; each commit is one day after the previous one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.day = 0
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        """Run git; return its output."""
        date = f"2026-{self.day // 28 + 1:02}-{self.day % 28 + 1:02}T12:00:00+00:00"
        times = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        command = ["git", "-C", str(self.folder), "-c", "protocol.file.allow=always"]
        result = subprocess.run(
            [*command, *arguments],
            env={**os.environ, **_QUIET, **times},
            check=True,
            capture_output=True,
        )
        return result.stdout.decode(errors="surrogateescape").strip()

    def write(self, files: dict[str, str | bytes]) -> None:
        """Write files without a commit."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            text = content.encode() if isinstance(content, str) else content
            path.write_bytes(text)

    def commit(self, files: dict[str, str | bytes] | None = None) -> str:
        """Commit everything in the folder; return the commit hash."""
        self.write(files or {})
        self.day += 1
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"Day {self.day}")
        return self.head()

    def head(self) -> str:
        """Return the hash of the commit that is checked out."""
        return self.git("rev-parse", "HEAD")
