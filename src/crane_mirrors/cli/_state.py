"""What one run remembers for the next: since when a mirror is behind, and which one was the fastest."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import tempfile
from typing import TYPE_CHECKING, Any

from crane_mirrors.cli._layers import base_folder
from crane_mirrors.cli._messages import note

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["State", "change_state", "read_state"]

State = dict[str, dict[str, list[Any]]]
"""Two tables: ``behind`` has key → [state of the mirror, POSIX time], ``fastest`` key → [place, POSIX time, ms]."""

_TABLES = ("behind", "fastest")
_LARGEST = 16 * 2**20
_MOST = 20_000
_LATEST = 2**40
"""A POSIX time that is larger, or not even finite, was written by nobody in good faith."""


def read_state() -> State:
    """Read what is remembered; nothing, where there is none or it cannot be read."""
    folder = _folder()
    empty: State = {table: {} for table in _TABLES}
    try:
        with open(os.path.join(folder, "state.json"), "rb") as file:
            found = json.loads(file.read(_LARGEST))
    except (OSError, ValueError, RecursionError):
        return empty
    if not isinstance(found, dict) or found.get("version") != 1:
        return empty
    return {table: _checked(found.get(table)) for table in _TABLES}


def change_state(change: Callable[[State], object]) -> None:
    """Change what is remembered, one program after the other; where that cannot be kept, say so and go on."""
    folder = _folder()
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with _alone(folder):
            state = read_state()
            change(state)
            _write(folder, state)
    except OSError as error:
        note(f"{folder}: {(error.strerror or str(error)).lower()}; nothing is remembered for the next run")


def _folder() -> str:
    return os.path.join(base_folder("XDG_STATE_HOME", os.path.join(".local", "state")), "crane-mirrors")


def _checked(table: Any) -> dict[str, list[Any]]:
    if not isinstance(table, dict):
        return {}
    return {
        key: row
        for key, row in table.items()
        if isinstance(row, list)
        and len(row) >= 2
        and isinstance(row[0], str)
        and all(isinstance(number, int | float) and 0 <= number < _LATEST for number in row[1:])
    }


@contextlib.contextmanager
def _alone(folder: str) -> Iterator[None]:
    with open(os.path.join(folder, "lock"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _write(folder: str, state: State) -> None:
    kept = {table: dict(sorted(rows.items(), key=lambda item: item[1][1])[-_MOST:]) for table, rows in state.items()}
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".state.")
    try:
        with open(handle, "w", encoding="ascii") as file:
            json.dump({"version": 1, **kept}, file)
        os.replace(temporary, os.path.join(folder, "state.json"))
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
