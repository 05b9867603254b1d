"""``crane-mirrors git``."""

from __future__ import annotations

import click

from crane_mirrors.cli._answer import answer
from crane_mirrors.cli._settings import CatalogueName, Settings, shared_options

__all__ = ["command"]


@click.command("git")
@click.argument("name", type=CatalogueName(lambda catalogue: catalogue.names("git")))
@shared_options
def command(settings: Settings, name: str) -> int:
    """Print the URL of a Git repository on its best mirror."""
    from crane_mirrors.resolve.repository import resolve_git

    return answer(settings, "git", lambda catalogue: resolve_git(catalogue, name, settings.choice))
