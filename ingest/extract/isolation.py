"""Takes from the child process what reading a file does not need.

Guaranteed by the kernel, for it and for the programs that it starts: memory, CPU time,
size of what it writes, no core dumps, no new privileges, death with its parent; and no
network, where the kernel lets us make an empty network namespace. Where it does not,
Python code in the child cannot open a connection, but a program that it starts could.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

from dunegpt.config import ExtractTable

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_WRITTEN_MB = 512


def isolate(limits: ExtractTable) -> bool:
    """Limit this process for good; return whether the kernel took its network away."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    cut_off = _without_network(libc)
    sys.addaudithook(_refuse)
    size = limits.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, _WRITTEN_MB << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    return cut_off


def allow_cpu(seconds: float) -> None:
    """Let this process and what it starts use so many more seconds of CPU time."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _without_network(libc: ctypes.CDLL) -> bool:
    """Move into an empty network namespace; as root directly, else by a user one."""
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


def _refuse(event: str, _: tuple[object, ...]) -> None:
    """Refuse what opens a connection; an audit hook cannot be taken out again."""
    if event.startswith(("socket.connect", "socket.bind", "socket.sendto")):
        raise PermissionError("A file may not open connections.")
    if event.startswith(("socket.getaddrinfo", "socket.gethostby", "urllib.Request")):
        raise PermissionError("A file may not open connections.")
