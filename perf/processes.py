"""What a process holds, read from ``/proc``: memory, handles, connections, threads.

Only Linux has it. Source: proc(5), ``/proc/pid/status``, ``/proc/pid/fd`` and
``/proc/pid/net/tcp``.
"""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")

_MIB = 1024.0
"""How many KiB, which the kernel counts memory in, are one MiB."""

_SECONDS_AN_HOUR = 3600
_STEM = re.compile(r"[-.]")


@dataclass(frozen=True, slots=True)
class Sample:
    """What a process held at a moment.

    Attributes:
        at: When, in seconds.
        memory: Its resident memory in MiB.
        threads: How many threads it had.
        handles: How many file handles were open: files, pipes and sockets.
        to_clients: How many of these were connections on the port that it serves.
        to_odoo: How many were connections to Odoo.
    """

    at: float
    memory: float
    threads: int
    handles: int
    to_clients: int
    to_odoo: int


def take(pid: int, at: float, *, serves: int | None, odoo: int) -> Sample | None:
    """Look at a process; None if it is gone.

    Args:
        pid: The process.
        at: The moment, for the sample.
        serves: The port that it serves, if it does.
        odoo: The port that it reaches Odoo at.
    """
    folder = PROC / str(pid)
    try:
        status = dict(
            line.split(":\t", 1)
            for line in (folder / "status").read_text().splitlines()
            if ":\t" in line
        )
        if "VmRSS" not in status:
            return None  # it has ended, and nobody has waited for it yet
        targets = [target for one in (folder / "fd").iterdir() if (target := _at(one))]
        ports = _ports(folder)
    except OSError:
        return None
    sockets = [ports[one] for one in targets if one in ports]
    return Sample(
        at=at,
        memory=int(status["VmRSS"].split()[0]) / _MIB,
        threads=int(status["Threads"]),
        handles=len(targets),
        to_clients=sum(here == serves and there != 0 for here, there in sockets),
        to_odoo=sum(there == odoo for _, there in sockets),
    )


def _at(handle: Path) -> str | None:
    try:
        return str(handle.readlink())
    except FileNotFoundError:
        return None  # closed since the folder was listed


def _ports(folder: Path) -> dict[str, tuple[int, int]]:
    """Answer the local and the remote port of each TCP socket there, by its handle."""
    found: dict[str, tuple[int, int]] = {}
    for name in ("tcp", "tcp6"):
        for line in (folder / "net" / name).read_text().splitlines()[1:]:
            words = line.split()
            here, there = (int(word.rpartition(":")[2], 16) for word in words[1:3])
            found[f"socket:[{words[9]}]"] = (here, there)
    return found


def children(parent: int) -> set[int]:
    """Answer the processes that a process has started."""
    found: set[int] = set()
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            try:
                # the name before the parent's number may hold spaces and brackets
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[1]) == parent:
                found.add(int(entry.name))
    return found


def memory(samples: Sequence[Sample]) -> float:
    """Answer the median of the memory, in MiB."""
    return statistics.median(sample.memory for sample in samples)


def growth_an_hour(samples: Sequence[Sample]) -> float:
    """Answer how many MiB of memory an hour would add, by least squares."""
    if len(samples) < 2:
        return 0.0
    line = statistics.linear_regression(
        [sample.at for sample in samples], [sample.memory for sample in samples]
    )
    return line.slope * _SECONDS_AN_HOUR


def size_of(folder: Path) -> dict[str, int]:
    """Answer how many bytes the files below a folder have, by what they belong to.

    A database, its journals and its locks have the same beginning.
    """
    sizes: dict[str, int] = {}
    for path in folder.rglob("*"):
        try:
            if path.is_file():
                name = path.relative_to(folder).parts[0]
                first = _STEM.split(name, maxsplit=1)[0]
                sizes[first] = sizes.get(first, 0) + path.stat().st_size
        except FileNotFoundError:
            continue  # journals of SQLite come and go
    return sizes
