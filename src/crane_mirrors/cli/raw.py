"""``crane-mirrors raw``."""

from __future__ import annotations

import click

from crane_mirrors.cli._answer import answer
from crane_mirrors.cli._settings import CatalogueName, Settings, shared_options

__all__ = ["command"]


@click.command("raw")
@click.argument("repo", type=CatalogueName(lambda catalogue: catalogue.names("git")))
@click.argument("ref")
@click.argument("path")
@shared_options
def command(settings: Settings, repo: str, ref: str, path: str) -> int:
    """Print the URL of a file in a Git repository, at a branch, tag or commit."""
    from crane_mirrors.resolve.raw import resolve_raw

    return answer(settings, "raw", lambda catalogue: resolve_raw(catalogue, repo, ref, path, settings.choice))
