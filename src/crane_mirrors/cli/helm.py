"""``crane-mirrors helm``."""

from __future__ import annotations

import click

from crane_mirrors.cli._answer import answer
from crane_mirrors.cli._settings import CatalogueName, Settings, shared_options

__all__ = ["command"]


@click.command("helm")
@click.argument("name", type=CatalogueName(lambda catalogue: catalogue.names("helm")))
@shared_options
def command(settings: Settings, name: str) -> int:
    """Print the URL of a Helm repository on its best mirror."""
    from crane_mirrors.resolve.repository import resolve_helm

    return answer(settings, "helm", lambda catalogue: resolve_helm(catalogue, name, settings.choice))
