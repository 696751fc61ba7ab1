"""Runs a command in an isolated network and records every packet it would send.

In a new network namespace every address is this host (``local 0.0.0.0/0 dev lo``), a
name server answers each query with an address, and all packets on the interface are
captured. So DNS queries and outside connections are recorded, but never sent.

Needs Linux, ``unshare`` (util-linux) and ``ip`` (iproute2), and either root or user
namespaces. Does not import DUNE-GPT: the command must disable telemetry by itself.
"""

import ipaddress
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

_SERVED = "192.0.2.1"  # RFC 5737: reserved for documentation
_ETH_P_ALL = 3
_TCP, _UDP = 6, 17
_DNS = 53


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet sent to an outside address or to a name server.

    Attributes:
        port: Destination port; 0 for a protocol without ports.
        name: Queried DNS name; empty for other packets.
    """

    destination: str
    port: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """Output, exit code and distinct packets of a command."""

    exit_code: int
    stdout: str
    stderr: str
    packets: frozenset[Packet]


def why_unavailable() -> str:
    """Return why this host cannot isolate the network; empty if it can."""
    if sys.platform != "linux":
        return "network namespaces need Linux"
    if absent := [name for name in ("unshare", "ip") if shutil.which(name) is None]:
        return f"not installed: {', '.join(absent)} (util-linux, iproute2)"
    result = subprocess.run(
        [*_unshare(), "ip", "link", "set", "lo", "up"], capture_output=True, check=False
    )
    return "" if result.returncode == 0 else "needs root, or user namespaces"


def run_isolated(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout_s: float
) -> Run:
    """Run a command in an isolated network, with exactly this environment.

    Raises:
        subprocess.TimeoutExpired: The command timed out and was killed.
        RuntimeError: The network could not be set up.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "packets.json"
        line = [*_unshare(), sys.executable, "-I", __file__, str(report), *command]
        with subprocess.Popen(
            line,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(timeout=timeout_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if not report.is_file():
            raise RuntimeError(f"the network was not set up: {err}")
        packets = frozenset(Packet(**p) for p in json.loads(report.read_text()))
    return Run(process.returncode, out, err, packets)


def _unshare() -> list[str]:
    return ["unshare", "--net", *([] if os.geteuid() == 0 else ["--map-root-user"])]


def _set_up_addresses() -> None:
    for line in (
        "ip link set lo up",
        "ip route add local 0.0.0.0/0 dev lo",
        "ip -6 route add local ::/0 dev lo",
    ):
        # On a host without IPv6 this fails, which is fine.
        subprocess.run(line.split(), check="-6" not in line, stderr=subprocess.DEVNULL)


def _serve_names(server: socket.socket) -> None:
    """Answer queries for IPv4 addresses with an address, and others with none."""
    while True:
        query, client = server.recvfrom(4096)
        end = query.index(b"\0", 12) + 5
        is_a = query[end - 4 : end - 2] == b"\0\1"
        header = query[:2] + struct.pack("!5H", 0x8180, 1, is_a, 0, 0)
        record = struct.pack("!3HIH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(_SERVED)
        server.sendto(header + query[12:end] + (record if is_a else b""), client)


def _capture(interface: socket.socket, seen: set[Packet]) -> None:
    while True:
        content, address = interface.recvfrom(65535)
        if address[2] == socket.PACKET_OUTGOING:
            packet = _parse(content)
            if packet is not None:
                seen.add(packet)


def _parse(content: bytes) -> Packet | None:
    """Return a parsed packet; None if it stays on this host or is a DNS reply."""
    if content[0] >> 4 == 4:
        destination = ipaddress.ip_address(content[16:20])
        protocol, payload = content[9], content[(content[0] & 15) * 4 :]
    elif content[0] >> 4 == 6:
        destination = ipaddress.ip_address(content[24:40])
        protocol, payload = content[6], content[40:]
    else:
        return None
    source_port = port = 0
    if protocol in {_TCP, _UDP}:
        source_port, port = struct.unpack("!2H", payload[:4])
    is_query = port == _DNS
    if source_port == _DNS or (destination.is_loopback and not is_query):
        return None
    name = _name(payload[8 + 12 :]) if is_query and protocol == _UDP else ""
    return Packet(str(destination), port, name)


def _name(question: bytes) -> str:
    labels = []
    while question and question[0]:
        labels.append(question[1 : question[0] + 1].decode("ascii", "replace"))
        question = question[question[0] + 1 :]
    return ".".join(labels)


def main() -> None:
    """Run a command in this namespace and write its packets to a file.

    ``isolated_network.py FILE COMMAND...``
    """
    _set_up_addresses()
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", _DNS))
    interface = socket.socket(
        socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL)
    )
    seen: set[Packet] = set()
    threading.Thread(target=_serve_names, args=(server,), daemon=True).start()
    threading.Thread(target=_capture, args=(interface, seen), daemon=True).start()
    code = subprocess.call(sys.argv[2:])
    time.sleep(0.2)  # for packets on their way to _capture
    Path(sys.argv[1]).write_text(json.dumps([asdict(packet) for packet in seen]))
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
