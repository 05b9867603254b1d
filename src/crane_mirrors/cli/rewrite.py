"""``crane-mirrors rewrite``."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from crane_mirrors.cli._answer import terminal
from crane_mirrors.cli._messages import complain, note
from crane_mirrors.cli._report import report_rows, write_report
from crane_mirrors.cli._settings import PIN_OPTIONS, check_asking, options
from crane_mirrors.cli._sources import failure, replace_file, source
from crane_mirrors.errors import FileFailed, InvalidInput
from crane_mirrors.model import KINDS, nearest, printable
from crane_mirrors.rewrite.changes import has_changes, unified_diff
from crane_mirrors.rewrite.engine import blocks, rewrite_stream
from crane_mirrors.rewrite.pins import Pins
from crane_mirrors.rewrite.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from crane_mirrors.cli._settings import Settings
    from crane_mirrors.model import Kind
    from crane_mirrors.resolve.routes import Choice

__all__ = ["command"]


class Wanted(NamedTuple):
    """What is to be done with each file."""

    in_place: bool
    check: bool
    diff: bool
    report: bool


@click.command("rewrite")
@click.argument("files", nargs=-1, metavar="[FILE...]", type=click.Path())
@click.option("--prefer", multiple=True, metavar="KIND=NAME", help="Mirror for one kind, as in raw=gitee.")
@click.option("-i", "--in-place", is_flag=True, help="Change the files themselves; folders are walked.")
@click.option("--check", is_flag=True, help="Only name the files that would change; exit code 1 if there are any.")
@click.option("--diff", is_flag=True, help="Print what would change as a unified diff.")
@click.option("--report", is_flag=True, help="Say on stderr what was rewritten, and what has no mirror.")
@options("mirror", "region", "catalogue", "no_project", "output", "timeout", *PIN_OPTIONS)
def command(
    settings: Settings,
    files: tuple[str, ...],
    prefer: tuple[str, ...],
    in_place: bool,
    check: bool,
    diff: bool,
    report: bool,
) -> int:
    """Copy text, with the addresses that the catalogue knows replaced by their best mirrors.

    Without FILE, or for '-', the standard input is read. Nothing else in the text changes.
    """
    check_asking(settings)
    wanted = Wanted(in_place, check, diff, report)
    _check_usage(files, wanted)
    layers = settings.layers
    catalogue = layers.load()
    if layers.project_counts(catalogue):
        note(f"{layers.project} has a part in what is rewritten (--no-project leaves it out)")
    rules = Rules(catalogue, choices(settings.choice, prefer))
    pins = Pins(rules.entry_of) if settings.pin else None
    return _Run(settings, rules, wanted, pins).all(files or ("-",))


def _check_usage(files: tuple[str, ...], wanted: Wanted) -> None:
    if wanted.check and wanted.in_place:
        raise InvalidInput("--check changes nothing and --in-place does: give one of them")
    if wanted.in_place and (not files or "-" in files):
        raise InvalidInput("--in-place needs files: the standard input cannot be changed")
    for file in files:
        if os.path.isdir(file) and not (wanted.in_place or wanted.check or wanted.diff):
            raise InvalidInput(f"{file} is a folder: add --in-place, --check or --diff")


def choices(choice: Choice, prefer: Iterable[str]) -> dict[Kind, Choice]:
    """Give each kind what is preferred for it, before what is preferred for all. Raises InvalidInput."""
    own: dict[str, tuple[str, ...]] = {}
    for text in prefer:
        kind, equals, name = text.partition("=")
        if not equals or not name or kind not in KINDS:
            raise InvalidInput(f"--prefer {text}: use KIND=NAME, as in raw=gitee; {nearest(kind, list(KINDS))}")
        own[kind] = (*own.get(kind, ()), name)
    return {kind: choice._replace(mirrors=(*own.get(kind, ()), *choice.mirrors)) for kind in KINDS}


class _Run:
    """One call: files in, text, diffs and reports out."""

    def __init__(self, settings: Settings, rules: Rules, wanted: Wanted, pins: Pins | None = None) -> None:
        self.settings, self.rules, self.wanted, self.pins = settings, rules, wanted, pins
        self.index = rules.index(pins)
        self.changed = self.failed = False
        self.report: list[dict[str, Any]] = []

    def all(self, files: tuple[str, ...]) -> int:
        """Do each file; what fails is said, and the others are done all the same. Gives the exit code."""
        for path in self._shown(self._paths(files)):
            try:
                self._one(path)
            except FileFailed as error:
                self._fail(error)
        if self.wanted.report:
            write_report(self.report, self.settings.output)
        if self.failed:
            return FileFailed.exit_code
        return 1 if self.wanted.check and self.changed else 0

    def _fail(self, error: FileFailed) -> None:
        self.failed = True
        complain(str(error))

    def _paths(self, files: tuple[str, ...]) -> Iterator[str]:
        for file in files:
            if file == "-" or not os.path.isdir(file):
                yield file
                continue
            from crane_mirrors.cli._walk import text_files

            try:
                yield from text_files(file)
            except OSError as error:
                self._fail(failure(error, file))

    def _shown(self, paths: Iterator[str]) -> Iterator[str]:
        """Show the progress of a long walk on a terminal."""
        if not (self.wanted.in_place or self.wanted.check) or sys.stderr is None or not sys.stderr.isatty():
            yield from paths
            return
        known = list(paths)
        with click.progressbar(known, file=sys.stderr, label="rewriting", hidden=len(known) < 2) as bar:
            yield from bar

    def _one(self, path: str) -> None:
        wanted = self.wanted
        with source(path, several=wanted.report or self.pins is not None) as begin:
            if self.pins:
                self._look_up(self.pins, begin())
            if wanted.report:
                self.report += report_rows(path, self.rules.catalogue, blocks(begin(), self.index))
            if wanted.diff:
                changed = self._diff(path, begin())
            elif wanted.check or wanted.in_place:
                changed = has_changes(begin(), self.index)
            else:
                rewrite_stream(begin(), sys.stdout.buffer.write, self.index)
                return
        self.changed |= changed
        if changed and wanted.check and not wanted.diff:
            # In a pipe a name stays what it is, for whoever opens it.
            sys.stdout.write(f"{printable(path) if sys.stdout.isatty() else path}\n")
        if changed and wanted.in_place:
            replace_file(path, lambda old, new: rewrite_stream(old.read, new.write, self.index))

    def _look_up(self, pins: Pins, read: Callable[[int], bytes]) -> None:
        from crane_mirrors.cli._pin import references

        for _ in blocks(read, self.index):
            pass
        if unknown := pins.unknown:
            chosen = self.rules.choices["image"]
            settings = self.settings._replace(mirror=chosen.mirrors)
            pins.references.update(references(settings, self.rules.catalogue, unknown))

    def _diff(self, path: str, read: Callable[[int], bytes]) -> bool:
        color = terminal().color
        changed = False
        for line in unified_diff(path, read, self.index):
            changed = True
            sys.stdout.buffer.write(_colored(line) if color else line)
        return changed


def _colored(line: bytes) -> bytes:
    code = {b"+": b"32", b"-": b"31", b"@": b"36"}.get(line[:1])
    return line if code is None else b"\x1b[" + code + b"m" + line.rstrip(b"\n") + b"\x1b[0m\n"
