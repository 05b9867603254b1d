"""What a mirror is worth, compared with its origin; pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from crane_mirrors.live.causes import NotAsked, NotThere

if TYPE_CHECKING:
    from crane_mirrors.live.check import Compared
    from crane_mirrors.live.differences import Difference

__all__ = ["VERDICTS", "Judged", "Verdict", "judge", "judge_compared"]

Verdict = Literal["fresh", "lagging", "overdue", "diverged", "missing", "unreachable", "unknown"]

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_MOST, _LONGEST = 1000, 500


class Judged(NamedTuple):
    """A verdict; ``lag`` is for how many seconds the mirror has been behind, as far as is known."""

    verdict: Verdict
    cause: str | None = None
    details: tuple[str, ...] = ()
    lag: float | None = None
    since: float | None = None


def judge(difference: Difference, promised: int | None, seen: float, now: float) -> Judged:
    """Judge a settled difference; ``promised`` is an interval in seconds, ``seen`` when it was first seen (POSIX time).

    Who promises no interval is overdue as soon as he is behind. A clock that was put back makes no lag.

    >>> from crane_mirrors.live.differences import Difference
    >>> judge(Difference(behind=("a 2 is missing",)), 3600, seen=1000, now=2000).verdict
    'lagging'
    >>> judge(Difference(behind=("a 2 is missing",), since=100), 3600, seen=1000, now=4000).verdict
    'overdue'
    """
    if not difference:
        return Judged("fresh", None, _shortened(difference.notes), 0.0)
    details = _shortened((*difference.foreign, *difference.behind, *difference.notes))
    since = min(seen, now) if difference.since is None or difference.since > now else difference.since
    lag = now - since
    if difference.foreign:
        return Judged("diverged", _counted(difference.foreign), details, lag, since)
    verdict: Verdict = "lagging" if promised is not None and lag <= promised else "overdue"
    return Judged(verdict, _counted(difference.behind), details, lag, since)


def judge_compared(compared: Compared, promised: int | None, seen: float, now: float) -> Judged:
    """Judge one mirror, whatever came of the comparison; for the times see ``judge``."""
    if compared.mirror_failed:
        verdict: Verdict = "missing" if isinstance(compared.mirror_failed, NotThere) else "unreachable"
        if isinstance(compared.mirror_failed, NotAsked):
            return Judged("unknown", compared.mirror_failed.cause)
        nobody = verdict == "missing" and isinstance(compared.origin_failed, NotThere)
        return Judged(verdict, compared.mirror_failed.cause + (", and the origin has none either" if nobody else ""))
    if compared.difference is None:
        return Judged("unknown", f"origin: {compared.origin_failed.cause if compared.origin_failed else 'not asked'}")
    return judge(compared.difference, promised, seen, now)


def _shortened(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Keep what a person may read of what a server may have made up."""
    kept = [text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…" for text in texts[:_MOST]]
    return (*kept, f"and {len(texts) - _MOST} more") if len(texts) > _MOST else tuple(kept)


def _counted(texts: tuple[str, ...]) -> str:
    """Give the first of the details, with its digests cut to what people compare, and how many more there are."""
    first = re.sub(r"([0-9a-f]{12})[0-9a-f]{20,52}", r"\1", _shortened(texts[:1])[0])
    return first if len(texts) == 1 else f"{first} (and {len(texts) - 1} more)"
