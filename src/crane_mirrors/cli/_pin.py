"""``--pin``: references by digest, on mirrors that have exactly what the origin has under the tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crane_mirrors.cli._credentials import logins
from crane_mirrors.cli._messages import note
from crane_mirrors.clients import pull_command
from crane_mirrors.errors import NegativeAnswer, NetworkFailed, NoRoute
from crane_mirrors.model import shown
from crane_mirrors.reference import Reference
from crane_mirrors.resolve.routes import is_called, is_chosen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.cli._settings import Settings
    from crane_mirrors.clients import Client
    from crane_mirrors.live.pin import Pinned
    from crane_mirrors.platforms import Platform
    from crane_mirrors.resolve.routes import Answer, Route

__all__ = ["pin", "references"]


def pin(
    settings: Settings,
    found: Answer,
    *,
    platform: Platform | None = None,
    client: Client = "docker",
) -> Answer:
    """Pin one image: its routes are those that have the digest, the others are named in notes.

    Raises NegativeAnswer when none has it, NetworkFailed when nobody says which digest it is.
    """
    (pinned,) = _pin_each(settings, [found], platform)
    digest = pinned.digest
    assert digest

    def by_digest(route: Route) -> Route:
        reference = Reference(Reference.parse(route.target).repository, None, digest)
        return route._replace(target=str(reference), command=pull_command(client, reference, platform))

    routes = tuple(by_digest(route) for route in found.routes if route.place in pinned.having)
    return found._replace(routes=routes, notes=(*found.notes, *_left_out(pinned)))


def _pin_each(settings: Settings, found: Sequence[Answer], platform: Platform | None = None) -> list[Pinned]:
    """Pin many images, each looked up once. Raises as ``pin``, for the first that cannot be pinned."""
    from crane_mirrors.live.pin import ToPin, pin_all
    from crane_mirrors.live.questions import question_of

    login = logins([route.place.host for answer in found for route in answer.routes] if settings.auth else [])
    asked = []
    for answer in found:
        # Who has a digest has its platforms, and nobody has to be trusted with what it means.
        known = Reference.parse(answer.best.target).digest is not None
        question = question_of(answer, platform=None if known else platform, login=login)
        trusted = None if known else _trusted(answer, settings.trust)
        asked.append(ToPin(question, trusted, _candidates(settings, answer)))  # type: ignore[arg-type]
    pinned = pin_all(asked, settings.timeout)
    for answer, one in zip(found, pinned, strict=True):
        _check(answer, _trusted(answer, settings.trust), one)
    return pinned


def references(settings: Settings, catalogue: Catalogue, images: Sequence[str]) -> dict[str, str]:
    """Give for each ``ORIGIN:TAG`` the pinned reference on the best mirror that has it. Raises as ``pin``.

    For each ``ORIGIN@DIGEST`` it is the repository there, without the digest.
    """
    from crane_mirrors.resolve.image import resolve_image

    choice = settings.choice._replace(every=True)
    answers = [resolve_image(catalogue, image, choice) for image in images]
    found = {}
    for image, answer, pinned in zip(images, answers, _pin_each(settings, answers), strict=True):
        for text in _left_out(pinned):
            note(f"{image}: {text}")
        best = next(route for route in answer.routes if route.place in pinned.having)
        reference = Reference.parse(best.target)
        pinned_name = Reference(reference.repository, None, pinned.digest)
        found[image] = str(reference.repository if reference.digest else pinned_name)
    return found


def _check(answer: Answer, trusted: Place, pinned: Pinned) -> None:
    from crane_mirrors.live.causes import NotThere

    if pinned.failed:
        text = f"{trusted.name} does not say which digest {shown(answer.best.target)} has: {pinned.failed.cause}"
        raise (NegativeAnswer if isinstance(pinned.failed, NotThere) else NetworkFailed)(text)
    if not pinned.having:
        why = "; ".join(f"{place.name} is {judged.verdict}" for place, judged in pinned.lacking)
        text = f"no chosen mirror of image '{answer.name}' has {pinned.digest}: {why}"
        nobody = all(judged.verdict == "unreachable" for _, judged in pinned.lacking)
        raise (NetworkFailed if nobody else NegativeAnswer)(text)


def _left_out(pinned: Pinned) -> list[str]:
    return [
        f"{place.name} does not have {pinned.digest}: {judged.verdict}" + (f", {judged.cause}" if judged.cause else "")
        for place, judged in pinned.lacking
    ]


def _trusted(answer: Answer, word: str | None) -> Place:
    places = [route.place for route in answer.routes]
    found = [place for place in places if is_called(place, word or "origin")]
    if not found:
        have = ", ".join(place.name for place in places)
        raise NoRoute(f"--trust: image '{answer.name}' is not on {shown(word or 'origin')}: it is on {have}")
    return found[0]


def _candidates(settings: Settings, answer: Answer) -> tuple[Place, ...]:
    return tuple(route.place for route in answer.routes if is_chosen(route.place, settings.mirror))
