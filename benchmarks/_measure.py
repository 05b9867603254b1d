"""Paired timing and peak memory of commands, and the table that the results go into."""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

# A process's peak begins with that of the process that started it (the kernel counts what came before `exec`), so
# this starts the command from the smallest Python there is. `posix` is built in, `os` would be one more file.
_LAUNCHER = """
import posix, sys
null = [(posix.POSIX_SPAWN_OPEN, 1, "/dev/null", posix.O_WRONLY, 0)]
process = posix.posix_spawn(sys.argv[1], sys.argv[1:], posix.environ, file_actions=null)
_, status, usage = posix.wait4(process, 0)
print(posix.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


class Call(NamedTuple):
    """A command with its environment, the file that it reads as standard input, and one for errors, if not ours."""

    words: tuple[str, ...]
    environment: Mapping[str, str]
    stdin: str = os.devnull
    stderr: str = ""


class Spent(NamedTuple):
    """How long a command took, and how much of it one core was busy, in seconds."""

    whole: float
    busy: float


class Row(NamedTuple):
    """One result: a measured value, what it is compared with, and the limit that it must keep, if it has one."""

    what: str
    measured: str
    against: str
    ratio: str
    limit: str = ""
    kept: bool = True


def once(call: Call) -> Spent:
    """Run a command with its output thrown away, and time it from its start to its end."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, call.stdin, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    if call.stderr:
        files.append((os.POSIX_SPAWN_OPEN, 2, call.stderr, os.O_WRONLY, 0))
    start = time.perf_counter()
    process = os.posix_spawn(call.words[0], call.words, call.environment, file_actions=files)
    _, status, usage = os.wait4(process, 0)
    whole = time.perf_counter() - start
    if status:
        raise SystemExit(f"exit code {os.waitstatus_to_exitcode(status)} from: {' '.join(call.words)}")
    return Spent(whole, usage.ru_utime + usage.ru_stime)


def paired(runs: int, *calls: Call, before: Callable[[], object] | None = None) -> list[Spent]:
    """Run commands in turn, ``runs`` times each, calling ``before`` ahead of each, untimed; give their medians.

    In turn, so that whatever slows the machine for a while slows all of them. The first round fills caches and is
    not counted.
    """

    def run(call: Call) -> Spent:
        if before:
            before()
        return once(call)

    rounds = [[run(call) for call in calls] for _ in range(runs + 1)]
    return [Spent(*map(statistics.median, zip(*spent, strict=True))) for spent in zip(*rounds[1:], strict=True)]


def peak_memory(call: Call) -> float:
    """Run a command once; give the most memory that it held (resident set), in MB."""
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *call.words]
    with open(call.stdin, "rb") as stdin:
        done = subprocess.run(launcher, env=call.environment, stdin=stdin, capture_output=True, text=True)
    code, _, peak = done.stdout.strip().partition(" ")
    if done.returncode or code != "0":
        raise SystemExit(f"exit code {code} from: {' '.join(call.words)}\n{done.stderr}")
    # Linux counts in KiB, macOS in bytes.
    return int(peak) * (1 if sys.platform == "darwin" else 2**10) / 1e6


def demand_same_output(*calls: Call) -> None:
    """End the program unless all of these commands write the same."""
    outputs = set()
    for call in calls:
        with open(call.stdin, "rb") as stdin:
            done = subprocess.run(call.words, env=call.environment, stdin=stdin, stdout=subprocess.PIPE, check=True)
        outputs.add(hashlib.sha256(done.stdout).digest())
    if len(outputs) != 1:
        raise SystemExit("these do not write the same: " + "; ".join(" ".join(call.words) for call in calls))


def at_most(limit: float, what: str, ours: float, against: str, yardstick: float) -> Row:
    """Make the row of two times in seconds whose ratio must not be greater than a limit."""
    row = unlimited(what, ours, against, yardstick)
    return row._replace(limit=f"at most {limit}", kept=ours / yardstick <= limit)


def unlimited(what: str, ours: float, against: str, yardstick: float) -> Row:
    """Make the row of two times in seconds that has no limit to keep."""
    return Row(what, _time(ours), f"{against}: {_time(yardstick)}", f"{ours / yardstick:.2f}")


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.1f} ms"


def print_table(rows: Sequence[Row]) -> None:
    """Print rows in columns, each with its verdict."""
    head = ("WHAT", "MEASURED", "COMPARED WITH", "RATIO", "LIMIT", "")
    cells = [head, *((*row[:-1], "" if not row.limit else "kept" if row.kept else "MISSED") for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
