"""What a server's processes and the disk have done, from /proc and /sys (Linux)."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PROC = Path("/proc")
SAMPLE_SECONDS = 0.2
SECTOR_BYTES = 512
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Usage:
    """What a group of processes has used over a span of time."""

    cpu_seconds: float = 0
    peak_rss_bytes: int = 0
    """The largest sum of the processes' resident sets; pages they share count for each."""
    written_bytes: int = 0
    """Bytes that the processes caused to be written (/proc/PID/io)."""
    device_bytes: int = 0
    """Bytes written to the block device meanwhile, by anybody."""


def listening_tree(port: int) -> list[int]:
    """Return the processes that listen on that port of IPv4, and their children.

    :raise ProcessLookupError: nobody listens there, or it is not ours to look at.
    """
    inodes = set()
    for line in (PROC / "net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
            inodes.add(f"socket:[{fields[9]}]")
    listeners = {pid for pid in _processes() if inodes & _sockets(pid)}
    if not listeners:
        raise ProcessLookupError(f"no process found that listens on port {port}")
    parents = {pid: _parent(pid) for pid in _processes()}
    tree = [pid for pid in listeners if parents.get(pid) not in listeners]
    for pid in tree:  # grows while we walk it
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit())


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat from the third on (proc(5)); none if it has ended."""
    try:
        return (PROC / f"{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _sockets(pid: int) -> set[str]:
    links = set()
    try:
        for descriptor in (PROC / f"{pid}/fd").iterdir():
            links.add(str(descriptor.readlink()))
    except OSError:
        pass  # another user's, or closed meanwhile
    return links


def _cpu_seconds(pids: list[int]) -> float:
    ticks = sum(int(fields[11]) + int(fields[12]) for pid in pids if (fields := _stat(pid)))
    return ticks / _TICKS


def _rss_bytes(pids: list[int]) -> int:
    return sum(int(fields[21]) for pid in pids if (fields := _stat(pid))) * _PAGE_BYTES


def _written_bytes(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        try:
            lines = (PROC / f"{pid}/io").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("write_bytes:"))
    return total


def device_bytes_written(path: Path) -> int:
    """Return what has been written to the device below that path since boot; 0 if unknown."""
    device = path.stat().st_dev
    counters = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/stat")
    if not counters.exists():
        return 0  # a network or overlay file system
    return int(counters.read_text().split()[6]) * SECTOR_BYTES


@dataclass
class _Sampler:
    """Watches the memory of processes from a thread."""

    pids: list[int]
    peak: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, _rss_bytes(self.pids))
            if self.stop.wait(SAMPLE_SECONDS):
                return


@contextmanager
def measured(pids: list[int], folder: Path) -> Iterator[Usage]:
    """Fill the record that is yielded when the block ends; dirty pages are flushed around it."""
    usage = Usage()
    os.sync()
    sampler = _Sampler(pids)
    thread = threading.Thread(target=sampler.run)
    cpu, written = _cpu_seconds(pids), _written_bytes(pids)
    device = device_bytes_written(folder)
    thread.start()
    try:
        yield usage
    finally:
        sampler.stop.set()
        thread.join()
    usage.cpu_seconds = _cpu_seconds(pids) - cpu
    usage.written_bytes = _written_bytes(pids) - written
    usage.peak_rss_bytes = sampler.peak
    os.sync()
    usage.device_bytes = device_bytes_written(folder) - device
