"""What goes to stderr: notes and errors, a line each, with nothing in it that a terminal would obey."""

from __future__ import annotations

import os
import sys

from crane_mirrors.model import printable

__all__ = ["PROGRAM", "complain", "note", "say"]

PROGRAM = "crane-mirrors"


def note(text: str) -> None:
    """Tell a person something that does not change the exit code."""
    say(f"note: {text}")


def complain(text: str, where: str = PROGRAM) -> None:
    """Say what went wrong, and which command says so."""
    say(f"{where}: {text}")


def say(line: str) -> None:
    """Write a line that was asked for, such as a report's."""
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(printable(line) + "\n")
    except OSError:
        # Nobody can be told; the answer and the exit code still count, and nothing may fail at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
