"""The options that every resolving command shares, and what they and the environment amount to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from crane_mirrors.cli._layers import Layers, find_layers
from crane_mirrors.render import format_names

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.shell_completion import CompletionItem

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.resolve.routes import Choice

__all__ = [
    "FIELDS",
    "PIN_OPTIONS",
    "RACE_OPTIONS",
    "CatalogueName",
    "Seconds",
    "Settings",
    "catalogue_options",
    "check_asking",
    "image_options",
    "options",
    "registry_options",
    "shared_options",
]

FIELDS = ("command", "reference", "url", "page")


class Settings(NamedTuple):
    """The shared options of one call."""

    mirror: tuple[str, ...] = ()
    every: bool = False
    field: str | None = None
    output: str | None = None
    region: str = "cn"
    catalogue: tuple[str, ...] = ()
    no_project: bool = False
    fastest: bool = False
    offline_ok: bool = False
    max_age: str | None = None
    timeout: float = 5.0
    pin: bool = False
    trust: str | None = None
    auth: bool = False

    @property
    def format(self) -> str:
        """The output format: a table on a terminal, otherwise plain, unless one was asked for."""
        return self.output or ("table" if sys.stdout.isatty() else "plain")

    @property
    def choice(self) -> Choice:
        """What the person prefers, for the resolver."""
        from crane_mirrors.resolve.routes import Choice

        return Choice(self.mirror, self.region, self.every or self.fastest or self.format != "plain")

    @property
    def layers(self) -> Layers:
        """The catalogue files that this call lays over the built-in one."""
        return find_layers(self.catalogue, project=not self.no_project)


if TYPE_CHECKING:
    _Text = click.ParamType[str]
else:
    _Text = click.ParamType


class Seconds(click.FloatRange):
    """A time in seconds that ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Refuse what is no number, or out of range; "nan" is in every range."""
        seconds: float = super().convert(value, param, ctx)
        return seconds if seconds == seconds else self.fail("nan is no time", param, ctx)


class CatalogueName(_Text):
    """A name out of the catalogue, for shell completion; what is not there is the resolver's to refuse."""

    name = "name"

    def __init__(self, names: Callable[[Catalogue], list[str]]) -> None:
        """Take the function that lists what can stand here."""
        self.names = names

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Offer the names that begin with what was typed; a broken catalogue offers nothing."""
        from click.shell_completion import CompletionItem

        from crane_mirrors.errors import CraneMirrorsError

        options = ctx.params.get("catalogue") or ()
        try:
            names = self.names(find_layers(options, project=not ctx.params.get("no_project")).load())
        except CraneMirrorsError:
            return []
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def _mirror_names(catalogue: Catalogue) -> list[str]:
    names = {place.name: None for entry in catalogue.entries() for place in entry.places}
    return [*names, "origin"]


_OPTIONS = {
    "mirror": click.option(
        "-m",
        "--mirror",
        multiple=True,
        metavar="NAME",
        type=CatalogueName(_mirror_names),
        help="Mirror to use, by preference if given more than once; 'origin' is wherever the original is.",
    ),
    "every": click.option("-a", "--all", "every", is_flag=True, help="Every route, best first."),
    "field": click.option("-p", "--print", "field", type=click.Choice(FIELDS), help="What to print of a route."),
    "output": click.option(
        "-o", "--output", type=click.Choice(format_names()), help="Default: table on a terminal, otherwise plain."
    ),
    "region": click.option(
        "--region",
        default="cn",
        envvar="CRANE_MIRRORS_REGION",
        show_envvar=True,
        show_default=True,
        type=CatalogueName(lambda catalogue: list(catalogue.regions())),
        metavar="NAME",
        help="Whose order of mirrors to use: cn, global, or one of your catalogue's.",
    ),
    "catalogue": click.option(
        "-c",
        "--catalogue",
        multiple=True,
        metavar="FILE",
        type=click.Path(readable=False),  # the loader says so, with its own exit code
        help="Catalogue to lay over the built-in one; also CRANE_MIRRORS_CATALOGUE.",
    ),
    "no_project": click.option("--no-project", is_flag=True, help="Leave out the project's own .crane-mirrors.yaml."),
    "fastest": click.option("--fastest", is_flag=True, help="Ask all mirrors; the first right answer is the best."),
    "offline_ok": click.option(
        "--offline-ok", is_flag=True, help="With --fastest: when no mirror answers, keep the catalogue's order."
    ),
    "max_age": click.option(
        "--max-age",
        metavar="AGE",
        help="With --fastest: use a result that is not older, as in 10m or 0s.  [default: 10m; in CI 0s]",
    ),
    "timeout": click.option(
        "--timeout",
        type=Seconds(0.05, 3600),
        default=5.0,
        show_default=True,
        metavar="SECONDS",
        help="How long each mirror may take, all in all.",
    ),
    "pin": click.option(
        "--pin", is_flag=True, help="Name images by the digest that the origin has under their tag, or not at all."
    ),
    "trust": click.option(
        "--trust", metavar="NAME", help="With --pin: ask this mirror for the digest instead of the origin."
    ),
    "auth": click.option("--auth", is_flag=True, help="Ask registries with the logins of Docker's configuration."),
}


def options(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add some of the shared options to a command, which gets them as one ``settings``."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        def callback(**parameters: Any) -> Any:
            settings = Settings(**{name: parameters.pop(name) for name in names})
            return function(settings, **parameters)

        callback.__doc__ = function.__doc__
        callback.__name__ = function.__name__
        if hasattr(function, "__click_params__"):
            callback.__click_params__ = function.__click_params__  # type: ignore[attr-defined]
        for name in reversed(names):
            callback = _OPTIONS[name](callback)
        return callback

    return decorate


_SHARED = ("mirror", "every", "field", "output", "region", "catalogue", "no_project")

RACE_OPTIONS = ("fastest", "offline_ok", "max_age", "timeout")
"""The options of every command that can ask the mirrors themselves which is best."""

PIN_OPTIONS = ("pin", "trust", "auth")
"""The options of every command that can ask which digest a tag has."""

shared_options = options(*_SHARED, *RACE_OPTIONS)
"""Add the options of every command that resolves."""

image_options = options(*_SHARED, *RACE_OPTIONS, *PIN_OPTIONS)
"""Add those, and what only images have."""

registry_options = options(*_SHARED, *RACE_OPTIONS, "auth")
"""Add the options of a command that resolves what registries have, among other things."""


def check_asking(settings: Settings) -> None:
    """Refuse options that contradict each other, or do nothing. Raises InvalidInput."""
    from crane_mirrors.errors import InvalidInput

    if settings.pin and settings.fastest:
        raise InvalidInput("--pin takes the best mirror that has the digest, --fastest the first: give one")
    if settings.trust and not settings.pin:
        raise InvalidInput("--trust is about --pin: add it")
    if settings.auth and not (settings.pin or settings.fastest):
        raise InvalidInput("--auth is about --fastest and --pin: add one")


catalogue_options = options("catalogue", "no_project")
"""Add the options of every command that reads the catalogue."""
