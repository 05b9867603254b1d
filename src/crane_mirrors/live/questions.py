"""Which question to ask about an answer of the resolver."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crane_mirrors.live.file import FileQuestion
from crane_mirrors.live.git import GitQuestion
from crane_mirrors.live.helm import HelmQuestion
from crane_mirrors.live.image import ImageQuestion
from crane_mirrors.live.tokens import nobody
from crane_mirrors.reference import Reference
from crane_mirrors.tags import is_immutable

if TYPE_CHECKING:
    from collections.abc import Callable

    from crane_mirrors.live.question import Question
    from crane_mirrors.live.tokens import Login
    from crane_mirrors.platforms import Platform
    from crane_mirrors.resolve.routes import Answer

__all__ = ["question_of"]

_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")


def question_of(
    answer: Answer,
    *,
    ref: str | None = None,
    platform: Platform | None = None,
    login: Callable[[str], Login | None] = nobody,
) -> Question:
    """Give the question that tells which routes of an answer work; ``ref`` is a Git repository's, or a file's."""
    match answer.kind:
        case "image":
            reference = Reference.parse(answer.best.target)
            return ImageQuestion(reference.digest or reference.tag, platform, login)
        case "helm":
            return HelmQuestion()
        case "git":
            return GitQuestion(ref)
    immutable = answer.kind == "chart" or (ref is not None and bool(_COMMIT.fullmatch(ref) or is_immutable(ref)))
    return FileQuestion({route.place.name: route.target for route in answer.routes}, answer.name, immutable, login)
