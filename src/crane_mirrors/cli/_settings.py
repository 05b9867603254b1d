"""The options that every resolving command shares, and what they and the environment amount to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from crane_mirrors.render import format_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.resolve.routes import Choice

__all__ = ["FIELDS", "CatalogueName", "Settings", "shared_options"]

FIELDS = ("command", "reference", "url", "page")


class Settings(NamedTuple):
    """The shared options of one call."""

    mirror: tuple[str, ...]
    every: bool
    field: str | None
    output: str | None
    region: str
    catalogue: tuple[str, ...]

    @property
    def choice(self) -> Choice:
        """What the person prefers, for the resolver."""
        from crane_mirrors.resolve.routes import Choice

        return Choice(self.mirror, self.region)

    def load(self) -> Catalogue:
        """Load the catalogue with its layers. Raises InvalidCatalogue."""
        from crane_mirrors.catalogue import load

        return load(layers(self.catalogue), cache_dir=_cache_dir())


def layers(options: tuple[str, ...]) -> tuple[str, ...]:
    """Name the catalogue files that the environment and the options ask for, the lowest first."""
    from_environment = os.environ.get("CRANE_MIRRORS_CATALOGUE", "").split(os.pathsep)
    return (*filter(None, from_environment), *options)


def _cache_dir() -> str | None:
    if os.environ.get("CRANE_MIRRORS_NO_CACHE"):
        return None
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: a path that is not absolute is to be ignored.
    if not os.path.isabs(base):
        base = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "crane-mirrors") if os.path.isabs(base) else None


if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:
    _Text = click.ParamType


class CatalogueName(_Text):
    """A name out of the catalogue, for shell completion; what is not there is the resolver's to refuse."""

    name = "name"

    def __init__(self, names: Callable[[Catalogue], list[str]]) -> None:
        """Take the function that lists what can stand here."""
        self.names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names that begin with what was typed; a broken catalogue offers nothing."""
        from click.shell_completion import CompletionItem

        from crane_mirrors.catalogue import load
        from crane_mirrors.errors import CraneMirrorsError

        try:
            catalogue = load(layers(ctx.params.get("catalogue") or ()), cache_dir=_cache_dir())
            names = self.names(catalogue)
        except CraneMirrorsError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _mirror_names(catalogue: Catalogue) -> list[str]:
    names = {place.name: None for entry in catalogue.entries() for place in entry.places}
    return [*names, "origin"]


_OPTIONS = (
    click.option(
        "-m",
        "--mirror",
        multiple=True,
        metavar="NAME",
        type=CatalogueName(_mirror_names),
        help="Mirror to use, by preference if given more than once; 'origin' is wherever the original is.",
    ),
    click.option("-a", "--all", "every", is_flag=True, help="Every route, best first."),
    click.option("-p", "--print", "field", type=click.Choice(FIELDS), help="What to print of a route."),
    click.option(
        "-o", "--output", type=click.Choice(format_names()), help="Default: table on a terminal, otherwise plain."
    ),
    click.option(
        "--region",
        default="cn",
        envvar="CRANE_MIRRORS_REGION",
        show_envvar=True,
        show_default=True,
        type=CatalogueName(lambda catalogue: list(catalogue.regions())),
        metavar="NAME",
        help="Whose order of mirrors to use: cn, global, or one of your catalogue's.",
    ),
    click.option(
        "-c",
        "--catalogue",
        multiple=True,
        metavar="FILE",
        type=click.Path(),
        help="Catalogue to lay over the built-in one; also CRANE_MIRRORS_CATALOGUE.",
    ),
)


def shared_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the shared options to a command, which gets them as one ``settings``."""

    def callback(**parameters: Any) -> Any:
        names = ("mirror", "every", "field", "output", "region", "catalogue")
        settings = Settings(**{name: parameters.pop(name) for name in names})
        return function(settings, **parameters)

    callback.__doc__ = function.__doc__
    callback.__name__ = function.__name__
    if hasattr(function, "__click_params__"):
        callback.__click_params__ = function.__click_params__  # type: ignore[attr-defined]
    for option in reversed(_OPTIONS):
        callback = option(callback)
    return callback
