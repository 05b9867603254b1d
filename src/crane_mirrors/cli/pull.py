"""``crane-mirrors pull``."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from crane_mirrors.cli._answer import emit
from crane_mirrors.cli._attempts import choice_of_all, routes_to_try
from crane_mirrors.cli._messages import complain, note, say
from crane_mirrors.cli._settings import PIN_OPTIONS, RACE_OPTIONS, CatalogueName, Settings, check_asking, options
from crane_mirrors.clients import STORES, name_for
from crane_mirrors.errors import InvalidInput, NoRoute
from crane_mirrors.model import shown
from crane_mirrors.render import Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crane_mirrors.cli._pulling import Image, Pulled
    from crane_mirrors.clients import Client
    from crane_mirrors.platforms import Platform
    from crane_mirrors.resolve.routes import Answer

__all__ = ["command"]


class Wanted(NamedTuple):
    """What every image of the call has in common."""

    client: Client
    tag: str | None
    platform: str | None
    tag_as: bool


@click.command("pull")
@click.argument(
    "names",
    metavar="NAME[:TAG]...",
    nargs=-1,
    required=True,
    type=CatalogueName(lambda catalogue: catalogue.names("image")),
)
@click.option("--client", type=click.Choice(STORES), help="What pulls; default: the first of these on the PATH.")
@click.option("--tag", metavar="T", help="Tag of the images that are named.")
@click.option("--platform", metavar="P", help="Platform to pull, as in linux/arm64.")
@click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help="How many images at once.")
@click.option("--tag-as/--no-tag-as", default=True, show_default=True, help="Give the image the origin's name as well.")
@click.option("--dry-run", is_flag=True, help="Print the commands, and run none.")
@options("mirror", "output", "region", "catalogue", "no_project", *RACE_OPTIONS, *PIN_OPTIONS)
def command(
    settings: Settings,
    names: tuple[str, ...],
    client: Client | None,
    jobs: int,
    dry_run: bool,
    **wanted: Any,
) -> int:
    """Pull images with a container client, from the best mirror that works.

    What the client prints goes to stderr; stdout has the name by which the client finds each image now, so that
    'docker run "$(crane-mirrors pull craned)"' works. When an image cannot be had, the exit code is the client's.
    """

    def make() -> Result:
        check_asking(settings)
        images = _images(settings, names, Wanted(_client(client, dry_run=dry_run), **wanted))
        return _planned(images) if dry_run else _result(_pull(images, jobs))

    return emit(settings.format, "pull", make)


def _client(named: Client | None, *, dry_run: bool) -> Client:
    from shutil import which

    if named and (dry_run or which(named)):
        return named
    found = next((client for client in STORES if which(client)), None)
    if named:
        other = f"; there is {found}" if found else ""
        raise NoRoute(f"{named} is not on the PATH: install it, or name another by --client{other}")
    if not found:
        raise NoRoute(f"no client is on the PATH, none of {', '.join(STORES)}: install one")
    return found


def _images(settings: Settings, names: Sequence[str], wanted: Wanted) -> list[Image]:
    """Resolve all names before anything is pulled; one that is given twice counts once."""
    from crane_mirrors.platforms import Platform
    from crane_mirrors.resolve.image import resolve_image

    layers = settings.layers
    catalogue = layers.load()
    if layers.project_counts(catalogue):
        note(f"{layers.project} has a part in where this comes from (--no-project leaves it out)")
    platform = Platform.parse(wanted.platform) if wanted.platform else None
    choice = choice_of_all(settings)
    answers: dict[str, tuple[str, Answer]] = {}
    for name in names:
        answer = resolve_image(catalogue, name, choice, tag=wanted.tag, client=wanted.client, platform=platform)
        answers.setdefault(_origin(answer), (name, answer))
    _check_names(answers.values(), wanted)
    return [_image(settings, name, answer, wanted, platform) for name, answer in answers.values()]


def _check_names(answers: Iterable[tuple[str, Answer]], wanted: Wanted) -> None:
    """Refuse images of which only the last would have the origin's name in the end."""
    from crane_mirrors.reference import Reference

    labels: dict[Reference, str] = {}
    for label, answer in answers:
        name = name_for(wanted.client, Reference.parse(_origin(answer))) if wanted.tag_as else None
        if name and labels.setdefault(name, label) != label:
            both = f"{shown(labels[name])} and {shown(label)}"
            raise InvalidInput(f"{both} would get the one name {name}: leave one out, or add --no-tag-as")


def _image(settings: Settings, name: str, answer: Answer, wanted: Wanted, platform: Platform | None) -> Image:
    from crane_mirrors.cli._pulling import Image
    from crane_mirrors.reference import Reference

    origin = Reference.parse(_origin(answer))
    if settings.pin:
        from crane_mirrors.cli._pin import pin

        answer = pin(settings, answer, platform=platform, client=wanted.client)
    for text in answer.notes:
        note(f"{name}: {text}")
    routes = routes_to_try(settings, answer)
    return Image(answer.name, name, wanted.client, routes, origin, wanted.tag_as)


def _origin(answer: Answer) -> str:
    return next(route.target for route in answer.routes if route.place.is_origin)


def _pull(images: Sequence[Image], jobs: int) -> list[Pulled]:
    from crane_mirrors.cli._pulling import name_image, pull_image
    from crane_mirrors.cli._runner import Children, each

    children = Children()
    done: dict[str, Pulled] = {}
    apart = jobs > 1 and len(images) > 1

    def pull(image: Image) -> None:
        done[str(image.origin)] = pull_image(image, children, label=image.label if apart else None)

    def name(image: Image) -> None:
        done[str(image.origin)] = name_image(done[str(image.origin)], children, label=image.label if apart else None)

    with children.ended_with_us():
        # podman reads all names of an image and writes them back, and what another one gave it meanwhile would be
        # lost: none is named beside anything else. One after the other, each is whole before the next one begins.
        for together in [images] if apart else [[image] for image in images]:
            each(together, pull, jobs=jobs, watch=children.obey)
            each(together, name, jobs=1, watch=children.obey)
    pulled = [done[str(image.origin)] for image in images]
    for one in pulled:
        (complain if one.code else say)(f"{one.image.label}: {one.story}")
    failed = sum(bool(one.code) for one in pulled)
    if len(pulled) > 1:
        say(f"{len(pulled) - failed} of {len(pulled)} images pulled")
    return pulled


def _planned(images: Sequence[Image]) -> Result:
    """Give the commands of each image's best route; the envelope has those of every route."""
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    for image in images:
        best, *others = image.routes
        lines += [shlex.join(words) for words in image.commands(best)]
        if others:
            note(f"{image.label}: if that fails: {', '.join(shlex.join(route.command) for route in others)}")
        rows += [
            {
                "kind": "image",
                "name": image.name,
                "client": image.client,
                "mirror": route.place.name,
                "host": route.place.host,
                "reference": route.target,
                "commands": [shlex.join(words) for words in image.commands(route)],
                "recommended": route is best,
            }
            for route in image.routes
        ]
    cells = [(row["name"], row["mirror"], " && ".join(row["commands"])) for row in rows]
    return Result("pull", rows=rows, lines=lines, header=("IMAGE", "MIRROR", "COMMANDS"), cells=cells)


def _result(pulled: Sequence[Pulled]) -> Result:
    here = [one for one in pulled if not one.code]
    cells = [(one.image.label, one.attempts[-1].route.place.name, one.reference) for one in here]
    errors = [{"exit_code": one.code, "message": f"{one.image.label}: {one.story}"} for one in pulled if one.code]
    return Result(
        "pull",
        rows=[one.row for one in pulled],
        lines=[one.reference for one in here],
        header=("IMAGE", "MIRROR", "REFERENCE"),
        cells=cells,
        errors=errors,
        code=next((one.code for one in pulled if one.code), 0),
    )
