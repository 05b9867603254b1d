"""``crane-mirrors image``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import click

from crane_mirrors.cli._answer import answer
from crane_mirrors.cli._settings import CatalogueName, Settings, image_options
from crane_mirrors.clients import CLIENTS
from crane_mirrors.errors import InvalidInput

if TYPE_CHECKING:
    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.clients import Client
    from crane_mirrors.platforms import Platform
    from crane_mirrors.resolve.routes import Answer

__all__ = ["command"]


class Wanted(NamedTuple):
    """Which build is wanted, and for whom."""

    tag: str | None
    branch: str | None
    commit: str | None
    pr: int | None
    digest: str | None
    client: Client
    platform: str | None


@click.command("image")
@click.argument("name", metavar="NAME[:TAG]", type=CatalogueName(lambda catalogue: catalogue.names("image")))
@click.option("--tag", metavar="T", help="Tag, as it is.")
@click.option("--branch", metavar="B", help="Tag that the CI makes of this Git branch.")
@click.option("--commit", metavar="H", help="Commit of --branch or --pr, as 'git describe --tags --always' gives it.")
@click.option("--pr", type=int, metavar="N", help="Pull request that the CI built; needs --commit.")
@click.option("--digest", metavar="D", help="Digest, as in sha256:HEX.")
@click.option(
    "--client", type=click.Choice(CLIENTS), default="docker", show_default=True, help="Whose command to print."
)
@click.option("--platform", metavar="P", help="Platform to pull, as in linux/arm64.")
@image_options
def command(settings: Settings, name: str, **wanted: Any) -> int:
    """Print the command that pulls an image from its best mirror.

    NAME is the catalogue's, gocrane/NAME, or any registry's reference of the image.
    """
    return _image(settings, name, Wanted(**wanted))


def _image(settings: Settings, name: str, wanted: Wanted) -> int:

    def resolve(catalogue: Catalogue) -> Answer:
        from crane_mirrors.resolve.image import resolve_image

        return resolve_image(
            catalogue,
            name,
            settings.choice._replace(every=True) if settings.pin else settings.choice,
            tag=_tag(wanted),
            digest=wanted.digest,
            client=wanted.client,
            platform=_platform(wanted.platform),
        )

    def pinned(found: Answer) -> Answer:
        from crane_mirrors.cli._pin import pin

        return pin(settings, found, platform=_platform(wanted.platform), client=wanted.client)

    return answer(settings, "image", resolve, pinned if settings.pin else None)


def _tag(wanted: Wanted) -> str | None:
    tag, branch, commit, pr = wanted[:4]
    if branch is None and commit is None and pr is None:
        return tag
    from crane_mirrors.tags import ci_tag

    if tag is not None:
        raise InvalidInput("--tag names a tag as it is: leave out --branch, --commit and --pr, or --tag")
    return ci_tag(branch=branch, commit=commit, pr=pr)


def _platform(text: str | None) -> Platform | None:
    if text is None:
        return None
    from crane_mirrors.platforms import Platform

    return Platform.parse(text)
