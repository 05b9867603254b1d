"""Run one command: errors become one line and an exit code, and the output is written once, at the end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from crane_mirrors.cli._group import COMPLETE_VARIABLE, group
from crane_mirrors.cli._messages import PROGRAM, complain
from crane_mirrors.errors import CraneMirrorsError, FileFailed

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["run"]

_LONGEST_USAGE = 300


def run(arguments: Sequence[str]) -> int:
    """Run the program and give its exit code (README, "Exit codes")."""
    if sys.stdout is None:
        return _fail("the standard output is closed", FileFailed.exit_code)
    # A locale that lacks a character must not turn an answer into a traceback.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    code = 0
    try:
        code = _invoke(list(arguments))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever reads has enough: `| head -1` is not an error.
        _drop(1)
    except OSError as error:
        _drop(1)
        return _fail(f"cannot write the output: {(error.strerror or str(error)).lower()}", FileFailed.exit_code)
    return code


def _invoke(arguments: list[str]) -> int:
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from click.shell_completion import shell_complete

        return shell_complete(group, {}, PROGRAM, COMPLETE_VARIABLE, instruction)
    try:
        with group.make_context(PROGRAM, arguments) as context:
            code: int = group.invoke(context)
            return code
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as help_wanted:
        try:
            click.echo(help_wanted.format_message(), err=True)
        except OSError:
            _drop(2)
        return 2
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else PROGRAM
        return _fail(f"{_shortened(error)} (see '{where} --help')", 2, where)
    except CraneMirrorsError as error:
        return _fail(str(error), error.exit_code)
    except RecursionError:
        return _fail("the input is nested too deeply", 2)


def _shortened(error: click.UsageError) -> str:
    """Put click's message, which repeats arguments of any length, into the form of all the others."""
    message = " ".join(error.format_message().split()).rstrip(".")
    return message[0].lower() + (message[1:] if len(message) <= _LONGEST_USAGE else f"{message[1:_LONGEST_USAGE]}…")


def _fail(message: str, code: int, where: str = PROGRAM) -> int:
    complain(message, where)
    return code


def _drop(descriptor: int) -> None:
    """Let what is still buffered for an output go nowhere: Python would fail at its very end to write it."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
