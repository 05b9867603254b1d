"""The program itself: its commands are the files of this folder, each imported only when it is asked for."""

from __future__ import annotations

import os
from importlib import import_module

import click

from crane_mirrors import __version__
from crane_mirrors.cli._messages import PROGRAM

__all__ = ["COMPLETE_VARIABLE", "group"]

COMPLETE_VARIABLE = "_CRANE_MIRRORS_COMPLETE"
"""Click's own protocol for shell completion: https://click.palletsprojects.com/shell-completion/."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        files = os.listdir(os.path.dirname(__file__))
        return sorted(name[:-3] for name in files if name.endswith(".py") and not name.startswith("_"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"{__package__}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in self.list_commands(ctx):
            from crane_mirrors.model import nearest, shown

            raise click.UsageError(f"no command {shown(args[0])}: {nearest(args[0], self.list_commands(ctx))}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=_Commands, name=PROGRAM, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name=PROGRAM)
def group() -> None:
    """Find the mirrors of container images, Helm repositories, Git repositories and their files."""
