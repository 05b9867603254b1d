"""A target's configuration out of the catalogues in use, or one line that says why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.cli._messages import note
from crane_mirrors.errors import InvalidInput, NoRoute, UnknownName
from crane_mirrors.model import nearest, shown
from crane_mirrors.resolve.routes import Choice, is_chosen
from crane_mirrors.targets import copies, target_named, target_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.cli._settings import Settings
    from crane_mirrors.targets import Configuration, LeftOut, Options, Target

__all__ = ["configured", "target_of"]

_FEW = 3


def target_of(name: str, options: Options) -> Target:
    """Give the target with a name. Raises UnknownName, and InvalidInput for an option that it does not know."""
    names = target_names()
    if name not in names:
        raise UnknownName(f"no target {shown(name)}: {nearest(name, list(names))}")
    target = target_named(name)
    for option, on in options._asdict().items():
        if on and option not in target.options:
            knowing = [each for each in names if option in target_named(each).options]
            raise InvalidInput(f"--{option.replace('_', '-')} is not for {name}: {_listed(knowing)} can do it")
    return target


def configured(settings: Settings, target: Target, options: Options, *, partial: bool) -> Configuration:
    """Write a target's configuration. Raises NoRoute where nothing is to be said, or the format cannot say all of it.

    With ``partial`` what it cannot say is told in notes.
    """
    layers = settings.layers
    catalogue = layers.load()
    if layers.project_counts(catalogue):
        note(f"{layers.project} has a part in this configuration (--no-project leaves it out)")
    rows = list(copies(catalogue, target.kinds, Choice(settings.mirror, settings.region)))
    if not rows:
        raise NoRoute(f"nothing to configure: {_nothing(settings, target, catalogue)}")
    found = target.configure(rows, options)
    if found.left_out and not partial:
        rest = ", or --partial for the rest" if found.files else ""
        raise NoRoute(f"{_inexpressible(target, found.left_out)}{rest}")
    if not found.files:
        reason = _inexpressible(target, found.left_out) if found.left_out else f"{target.name} needs no file for this"
        raise NoRoute(reason)
    for text in _told(found.left_out):
        note(text)
    return found


def _told(left_out: Iterable[LeftOut]) -> Iterator[str]:
    """Give a line for each entry, with all mirrors that it lacks for one reason."""
    mirrors: dict[tuple[str, str], list[str]] = {}
    for left in left_out:
        instead = _instead(left)
        use = f" (use {_listed(instead)})" if instead else ""
        mirrors.setdefault((f"{left.kind} {left.name}", left.reason + use), []).append(left.mirror)
    for (name, reason), names in mirrors.items():
        yield f"left out: {name} on {', '.join(names)}: {reason}"


def _nothing(settings: Settings, target: Target, catalogue: Catalogue) -> str:
    kinds = _listed(target.kinds)
    origins = [entry.origin for entry in catalogue.entries() if entry.kind in target.kinds]
    if not origins:
        return f"the catalogue has no {kinds}"
    if not settings.mirror:
        return f"region '{settings.region}' has no {kinds} with a mirror before its origin; name one with --mirror"
    if any(is_chosen(origin, settings.mirror) for origin in origins):
        more = "; name a mirror before it" if len(settings.mirror) > 1 else ""
        return f"clients go to the origin by themselves{more}"
    return f"no {kinds} of the catalogue has a mirror called {', '.join(settings.mirror)}"


def _inexpressible(target: Target, left_out: Sequence[LeftOut]) -> str:
    """Say what is left out for the first reason; of what is left out for others, only which entries those are."""
    first = left_out[0]
    same = [left for left in left_out if _kind_of(left.reason) == _kind_of(first.reason)]
    others = [left for left in left_out if _kind_of(left.reason) != _kind_of(first.reason)]
    instead = _instead(first)
    use = f"; use {_listed(instead)}" if instead else ""
    more = f"; for other reasons {_entries(others)}" if others else ""
    return f"{target.name} cannot express {_entries(same)}: {first.reason}{use}{more}"


def _kind_of(reason: str) -> str:
    """Take away what one reason has in quotes, and another one of its kind has not."""
    return "".join(reason.split("'")[::2])


def _entries(left_out: Sequence[LeftOut]) -> str:
    names = list(dict.fromkeys(f"{left.kind} {left.name}" for left in left_out))
    return ", ".join(names[:_FEW]) + (f", … ({len(names)} in all)" if len(names) > _FEW else "")


def _instead(left: LeftOut) -> list[str]:
    known = target_names()
    return [name for name in left.instead if name in known]


def _listed(names: Iterable[str]) -> str:
    *some, last = names
    return f"{', '.join(some)} or {last}" if some else last
