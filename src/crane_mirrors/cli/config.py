"""``crane-mirrors config``."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from crane_mirrors.cli._answer import emit
from crane_mirrors.cli._configured import configured, target_of
from crane_mirrors.cli._folder import Folder
from crane_mirrors.cli._messages import PROGRAM, note
from crane_mirrors.cli._owned import Owned, diff_of
from crane_mirrors.cli._settings import Settings, options
from crane_mirrors.cli._stamp import Stamp, stamped
from crane_mirrors.errors import FileFailed, InvalidInput
from crane_mirrors.model import printable
from crane_mirrors.render import Result
from crane_mirrors.targets import Options, target_names

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from click.shell_completion import CompletionItem

    from crane_mirrors.cli._owned import Change
    from crane_mirrors.targets import Configuration, Target

__all__ = ["command"]

if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:
    _Text = click.ParamType


class _TargetName(_Text):
    name = "target"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name) for name in target_names() if name.startswith(incomplete)]


class _Wanted(NamedTuple):
    """What is to be done with the files."""

    folder: str | None
    dry_run: bool
    remove: bool
    partial: bool


@click.command("config")
@click.argument("target", type=_TargetName())
@click.option("--output-dir", metavar="DIR", type=click.Path(readable=False), help="Write the files into this folder.")
@click.option("--dry-run", is_flag=True, help="Print what would change as a unified diff; exit code 1 if anything.")
@click.option("--remove", is_flag=True, help="Take away what was written into the folder.")
@click.option("--partial", is_flag=True, help="Leave out what the format cannot express, and say what that is.")
@click.option("--digest-only", is_flag=True, help="Use mirrors for digests only; what a tag means, the origin says.")
@click.option("--ssh", is_flag=True, help="Redirect SSH addresses of Git repositories as well.")
@click.option("--script", is_flag=True, help="Write a script in place of a file.")
@options("mirror", "region", "catalogue", "no_project", "output")
def command(
    settings: Settings,
    target: str,
    output_dir: str | None,
    dry_run: bool,
    remove: bool,
    partial: bool,
    digest_only: bool,
    ssh: bool,
    script: bool,
) -> int:
    """Write the configuration that makes a client or a cluster use mirrors.

    TARGET is whose configuration. Without --output-dir it is printed. In a folder only files that this program wrote
    are replaced or removed; their first lines say how to take them away.
    """
    wanted = _Wanted(output_dir, dry_run, remove, partial)
    run = _Run(settings, wanted, Options(digest_only, ssh, script))
    # A file that is printed, and a diff, are themselves in a terminal's table.
    printed = settings.format == "table" and (dry_run or output_dir is None)
    emit("plain" if printed else settings.format, "config", lambda: run.result(target))
    return int(dry_run and run.changed)


class _Run:
    """One call: a catalogue in, files out."""

    def __init__(self, settings: Settings, wanted: _Wanted, known: Options) -> None:
        self.settings, self.wanted, self.options = settings, wanted, known
        self.changed = False

    def result(self, name: str) -> Result:
        """Do what is wanted for a target, and tell of each file."""
        wanted = self.wanted
        target = target_of(name, self.options)
        if wanted.folder == "":
            raise InvalidInput("--output-dir is empty: name a folder, '.' for this one")
        if wanted.folder is None and (wanted.remove or wanted.dry_run):
            such = f", such as {target.folder}" if target.folder else ""
            raise InvalidInput(f"{'--remove' if wanted.remove else '--dry-run'} needs --output-dir{such}")
        stamp = self._stamp(target)
        if wanted.remove:
            return self._changed(target, stamp, None)
        found = configured(self.settings, target, self.options, partial=wanted.partial)
        for text in found.notes:
            note(text)
        return self._printed(stamp, found) if wanted.folder is None else self._changed(target, stamp, found)

    def _stamp(self, target: Target) -> Stamp:
        start = [PROGRAM, "config", target.name]
        flags = [f"--{name.replace('_', '-')}" for name, on in self.options._asdict().items() if on]
        flags += ["--partial"] * self.wanted.partial
        if self.wanted.folder is None:
            return Stamp(target.name, _joined([*start, *_words(self.settings), *flags]), "deleting it", target.folder)
        into = ["--output-dir", self.wanted.folder]
        made_by = _joined([*start, *_words(self.settings), *flags, *into])
        return Stamp(target.name, made_by, _joined([*start, *into, "--remove"]), target.folder)

    def _printed(self, stamp: Stamp, found: Configuration) -> Result:
        rows: list[dict[str, Any]] = []
        texts: list[str] = []
        for file in found.files:
            own = stamp._replace(place=os.path.join(stamp.place, file.path) if stamp.place else "")
            text = file.text if file.comment is None else stamped(own, file.text, file.comment)
            rows.append({"target": stamp.target, "path": file.path, "state": "printed", "text": text})
            title = f"{file.comment or '#'} {printable(file.path)}\n" if len(found.files) > 1 else ""
            texts.append(title + text)
        return Result("config", rows + _left_out(stamp, found), "\n".join(texts).removesuffix("\n").split("\n"))

    def _changed(self, target: Target, stamp: Stamp, found: Configuration | None) -> Result:
        assert self.wanted.folder
        folder = Folder(self.wanted.folder)
        owned = Owned(folder, stamp, target.paths)
        changes = owned.renewal(found.files) if found else owned.removal()
        self.changed = any(change.state in ("written", "removed") for change in changes)
        if not self.wanted.dry_run:
            owned.apply(changes)
        if not changes:
            note(f"{folder.root}: nothing there that 'config {target.name}' wrote")
        self._say_kept(folder, changes)
        rows = [self._row(folder, stamp.target, change) for change in changes]
        cells = [(row["state"], row["path"]) for row in rows]
        lines = [f"{state} {printable(path)}" for state, path in cells]
        if self.wanted.dry_run:
            lines = [line for row in rows for line in row["diff"].splitlines()]
        rows += _left_out(stamp, found) if found else []
        return Result("config", rows, lines, ("STATE", "FILE"), cells)

    def _row(self, folder: Folder, target: str, change: Change) -> dict[str, Any]:
        row = {"target": target, "path": folder.path(change.name), "state": change.state}
        if not self.wanted.dry_run:
            return row
        would = {"written": "would be written", "removed": "would be removed"}
        return {**row, "state": would.get(change.state, change.state), "diff": diff_of(folder, change)}

    def _say_kept(self, folder: Folder, changes: Sequence[Change]) -> None:
        """Tell of files that are a person's by now: none of them may stay for long without anybody knowing."""
        kept = [folder.path(change.name) for change in changes if change.state == "kept"]
        if kept and self.wanted.remove:
            raise FileFailed(
                f"{', '.join(kept)}: changed since crane-mirrors wrote it, so it stays: remove it yourself"
            )
        for path in kept:
            note(f"{path}: not needed any more, but changed since crane-mirrors wrote it, so it stays")


def _left_out(stamp: Stamp, found: Configuration) -> list[dict[str, Any]]:
    return [
        {
            "target": stamp.target,
            "path": None,
            "state": "left out",
            "kind": left.kind,
            "name": left.name,
            "mirror": left.mirror,
            "reason": left.reason,
            "instead": list(left.instead),
        }
        for left in found.left_out
    ]


def _joined(words: Sequence[str]) -> str:
    r"""Quote a command for a shell, on one line: what cannot be printed as POSIX.1-2024, bash and zsh escape it.

    >>> print(_joined(["it's", "a\nb"]))
    'it'"'"'s' $'a\012b'
    """
    return " ".join(shlex.quote(word) if word.isprintable() else _escaped(word) for word in words)


def _escaped(word: str) -> str:
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "'\\" else f"\\{byte:03o}" for byte in os.fsencode(word)
    )
    return f"$'{''.join(plain)}'"


def _words(settings: Settings) -> Iterator[str]:
    """Give the options that choose mirrors as words; catalogues of the environment count like those of options."""
    for mirror in settings.mirror:
        yield from ("--mirror", mirror)
    if settings.region != "cn" or os.environ.get("CRANE_MIRRORS_REGION"):
        yield from ("--region", settings.region)
    environment = tuple(filter(None, os.environ.get("CRANE_MIRRORS_CATALOGUE", "").split(os.pathsep)))
    # A header's command that is pasted where the environment is still the same has them as options already.
    again = settings.catalogue[: len(environment)] == environment
    for file in (*(() if again else environment), *settings.catalogue):
        yield from ("--catalogue", file)
    if settings.no_project:
        yield "--no-project"
