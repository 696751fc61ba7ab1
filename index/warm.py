"""Reads a snapshot's files before the first question does, as far as memory allows.

What every question needs comes first: rows, inverted file, words; then vectors, of
which one takes some hundred rows, and texts, of which it reads ten. Knows only file
names and what the kernel says of memory.
"""

from pathlib import Path

_PIECE = 16 << 20
_FIRST = ("row_", "documents.npy", "lists.faiss", "lexical/")
_LAST = ("vectors.faiss", "records.npy", "documents.db", "references.db", "texts.db")
_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60


def warm(folder: Path, names: list[str], most: int | None = None) -> int:
    """Read files once, what is needed most first; return how many bytes.

    Args:
        folder: Of the snapshot.
        names: Of its files, as in its manifest.
        most: Stop at so many bytes; by default at four fifths of `free_memory`.

    Raises:
        OSError: A file cannot be read, or the snapshot was removed meanwhile.
    """
    left = free_memory() * 4 // 5 if most is None else most
    read = 0
    for name in sorted(names, key=lambda name: (_rank(name), name)):
        if read >= left:
            break
        with (folder / name).open("rb", buffering=0) as file:
            while piece := len(file.read(min(_PIECE, left - read))):
                read += piece
    return read


def free_memory() -> int:
    """Return how many bytes of files this process can keep in memory.

    It is what the machine has to give away, or less where a memory cgroup says so.
    """
    free = _available()
    for line in (_PROC / "self/cgroup").read_text("ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            free = min(free, _left_of(_CGROUPS, path, "memory.max", "anon"))
        elif "memory" in controllers.split(","):
            own = "memory.limit_in_bytes", "total_rss"
            free = min(free, _left_of(_CGROUPS / "memory", path, *own))
    return max(free, 0)


def _rank(name: str) -> int:
    """Return the place of a file in the order of reading; 0 is first."""
    ranks = [n for n, start in enumerate(_FIRST) if name.startswith(start)]
    ranks += [len(_FIRST) + 1 + n for n, end in enumerate(_LAST) if name.endswith(end)]
    return min(ranks, default=len(_FIRST))


def _available() -> int:
    for line in (_PROC / "meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return _UNLIMITED


def _left_of(mount: Path, path: str, limit: str, used: str) -> int:
    """Return what a cgroup leaves for files, which its own use of them does not lessen.

    A container sees its own cgroup as the topmost.
    """
    for folder in (mount / path.strip("/"), mount):
        if not (folder / limit).is_file():
            continue
        most = (folder / limit).read_text("ascii").strip()
        stat = (folder / "memory.stat").read_text("ascii").splitlines()
        held = dict(line.split() for line in stat)
        return _UNLIMITED if most == "max" else int(most) - int(held[used])
    return _UNLIMITED
