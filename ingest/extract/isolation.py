"""Drops the privileges and resources of the child process that reads files.

Enforced by the kernel, also for programs the child starts: limits on memory, CPU time
and file size, no core dumps, no new privileges, death with the parent; and no network
if an empty network namespace can be created. If it cannot, Python code in the child
still cannot open a connection, but a program that it starts could.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

from dunegpt.config import ExtractSettings

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_MAX_WRITE_MB = 512
_SHORT_OF_MEMORY = 0.9


def isolate(limits: ExtractSettings) -> bool:
    """Restrict this process permanently; return whether its network was removed."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    network_dropped = _drop_network(libc)
    sys.addaudithook(_refuse_connections)
    size = _cap(resource.RLIMIT_AS, limits.memory_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    size = _cap(resource.RLIMIT_FSIZE, _MAX_WRITE_MB << 20)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return network_dropped


def is_memory_short() -> bool:
    """Return whether this process has come close to its limit on memory.

    Libraries that cannot allocate memory often report a damaged file.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return False
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak_kb = next(
        int(line.split()[1])
        for line in status.splitlines()
        if line.startswith("VmPeak:")
    )
    return peak_kb << 10 > limit * _SHORT_OF_MEMORY


def _cap(limit: int, size: int) -> int:
    """Return a size that does not exceed the hard limit that this process was given."""
    _, hard = resource.getrlimit(limit)
    return size if hard == resource.RLIM_INFINITY else min(size, hard)


def allow_cpu(seconds: float) -> None:
    """Allow this process and its children this many more seconds of CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _drop_network(libc: ctypes.CDLL) -> bool:
    """Enter an empty network namespace, through a user namespace unless root."""
    if libc.unshare(_CLONE_NEWNET) == 0:
        return True
    user, group = os.getuid(), os.getgid()
    if libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET) != 0:
        return False
    with contextlib.suppress(OSError):
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    return True


def _refuse_connections(event: str, _: tuple[object, ...]) -> None:
    """Raise on any attempt to open a connection; audit hooks cannot be removed."""
    if event.startswith(("socket.connect", "socket.bind", "socket.sendto")):
        raise PermissionError("A file may not open connections.")
    if event.startswith(("socket.getaddrinfo", "socket.gethostby", "urllib.Request")):
        raise PermissionError("A file may not open connections.")
