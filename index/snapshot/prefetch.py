"""Loads a snapshot's files into the page cache, as far as memory allows.

Files that every query needs come first: row arrays, inverted file, lexical index; then
vectors, of which a query reads some hundred rows, and texts, of which it reads ten.
Depends only on file names and on the kernel's memory figures.
"""

from pathlib import Path

_CHUNK_BYTES = 16 << 20
_READ_FIRST = ("row_", "documents.npy", "lists.faiss", "lexical/")
_READ_LAST = (
    "vectors.faiss",
    "records.npy",
    "documents.db",
    "references.db",
    "texts.db",
)
_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_UNLIMITED = 1 << 60


def prefetch(folder: Path, names: list[str], most: int | None = None) -> int:
    """Read files in order of importance; return the number of bytes read.

    Args:
        folder: Folder of the snapshot.
        names: Names of its files, as in the manifest.
        most: Maximum number of bytes; by default four fifths of `get_free_memory`.

    Raises:
        OSError: A file cannot be read, or the snapshot was removed meanwhile.
    """
    budget = get_free_memory() * 4 // 5 if most is None else most
    read = 0
    for name in sorted(names, key=lambda name: (_get_rank(name), name)):
        if read >= budget:
            break
        with (folder / name).open("rb", buffering=0) as file:
            while size := len(file.read(min(_CHUNK_BYTES, budget - read))):
                read += size
    return read


def get_free_memory() -> int:
    """Return how many bytes of files fit into the page cache for this process.

    This is the available memory of the host, or less if a memory cgroup limits it.
    """
    free = _read_available_memory()
    for line in (_PROC / "self/cgroup").read_text("ascii").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            free = min(
                free, _read_cgroup_headroom(_CGROUPS, path, "memory.max", "anon")
            )
        elif "memory" in controllers.split(","):
            files = "memory.limit_in_bytes", "total_rss"
            free = min(free, _read_cgroup_headroom(_CGROUPS / "memory", path, *files))
    return max(free, 0)


def _get_rank(name: str) -> int:
    """Return the priority of a file; 0 is read first."""
    ranks = [n for n, start in enumerate(_READ_FIRST) if name.startswith(start)]
    ranks += [
        len(_READ_FIRST) + 1 + n
        for n, end in enumerate(_READ_LAST)
        if name.endswith(end)
    ]
    return min(ranks, default=len(_READ_FIRST))


def _read_available_memory() -> int:
    for line in (_PROC / "meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return _UNLIMITED


def _read_cgroup_headroom(mount: Path, path: str, limit: str, used: str) -> int:
    """Return the bytes that a cgroup leaves for files: limit minus anonymous memory.

    Inside a container, its own cgroup is the root of the mount.
    """
    for folder in (mount / path.strip("/"), mount):
        if not (folder / limit).is_file():
            continue
        maximum = (folder / limit).read_text("ascii").strip()
        lines = (folder / "memory.stat").read_text("ascii").splitlines()
        usage = dict(line.split() for line in lines)
        return _UNLIMITED if maximum == "max" else int(maximum) - int(usage[used])
    return _UNLIMITED
