"""The tags that GoCrane's CI gives its images: from a branch, a commit or a pull request to a tag.

    BRANCH              main            moves with every push
    BRANCH-DESCRIBE     main-abc1234    one push
    pr-NUMBER-DESCRIBE  pr-12-abc1234   one push to a pull request

BRANCH is the last path segment of the Git branch in lower case; DESCRIBE is what
`git describe --tags --always` prints for the commit.
"""

from __future__ import annotations

import functools
import re

from crane_mirrors.errors import InvalidInput

__all__ = ["ci_tag", "is_immutable"]

_SEGMENT = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_LONGEST_TAG = 128

_HASH = r"[0-9A-Fa-f]{4,40}"
# A pre-release begins with a letter, so that `-3-g…` can only be the distance from the version.
_VERSION = r"v[0-9]+(?:\.[0-9]+)+(?:-[A-Za-z][0-9A-Za-z]*(?:\.[0-9A-Za-z]+)*)?"
_DESCRIBE = rf"((?:{_VERSION}-[1-9][0-9]*-g)?)({_HASH})|{_VERSION}"
_FULL_HASH = 40
_SHORT_HASH = 7
# With a pull request's number before it this is still a tag, so only a branch can make a tag too long.
_LONGEST_DESCRIBE = 100
# GitHub's API gives the number of a pull request as a 32-bit integer.
_LARGEST_PR = 2**31 - 1

_compiled = functools.cache(re.compile)


def ci_tag(*, branch: str | None = None, commit: str | None = None, pr: int | None = None) -> str:
    """Return the tag of a branch, of a commit on it, or of a commit of a pull request; raises InvalidInput.

    >>> ci_tag(branch="feature/X")
    'x'
    >>> ci_tag(branch="main", commit="v0.11.0-3-gabc1234")
    'main-v0.11.0-3-gabc1234'
    >>> ci_tag(pr=12, commit="ABC1234")
    'pr-12-abc1234'
    """
    if branch is not None and pr is not None:
        raise InvalidInput("a tag is made from a branch or from a pull request: give one of them, not both")
    if pr is not None:
        return _pull_request_tag(pr, commit)
    if branch is not None:
        return _branch_tag(branch, commit)
    if commit is not None:
        raise InvalidInput("a commit alone makes no tag: give its branch or its pull request too")
    raise InvalidInput("nothing to make a tag from: give a branch, or a pull request and its commit")


def is_immutable(tag: str) -> bool:
    """Tell by its form whether a tag names one build for ever: a commit's, or a whole version's.

    >>> [is_immutable(tag) for tag in ("main", "main-abc1234", "pr-12-abc1234", "v0.11.0", "1.2", "release-1.2")]
    [False, True, True, True, False, False]
    """
    version = _compiled(r"v?[0-9]+\.[0-9]+\.[0-9]+(?:[-+.][0-9A-Za-z.+-]+)?")
    described = rf"(?:{_VERSION}(?:-[1-9][0-9]*-g[0-9a-f]{{7,40}})?|[0-9a-f]{{7,40}})"
    build = _compiled(rf"{_SEGMENT}-{described}")
    return len(tag) <= _LONGEST_TAG and bool(version.fullmatch(tag) or build.fullmatch(tag))


def _branch_tag(branch: str, commit: str | None) -> str:
    if branch.startswith("refs/") and not branch.startswith("refs/heads/"):
        raise InvalidInput(
            f"invalid branch {_quoted(branch)}: give a branch's name or refs/heads/NAME; "
            "for a pull request give its number"
        )
    segment = branch.rpartition("/")[2]
    if not _compiled(_SEGMENT).fullmatch(segment):
        raise InvalidInput(
            f"branch {_quoted(branch)} makes no valid tag: after its last '/' go letters, digits, '_', '.', "
            "'-', not beginning with '.' or '-'"
        )
    tag = segment.lower() if commit is None else f"{segment.lower()}-{_described(commit)}"
    if len(tag) > _LONGEST_TAG:
        raise InvalidInput(
            f"branch {_quoted(branch)} makes no valid tag: {len(tag)} characters, at most {_LONGEST_TAG}"
        )
    return tag


def _pull_request_tag(pr: int, commit: str | None) -> str:
    if not 1 <= pr <= _LARGEST_PR:
        raise InvalidInput(f"a pull request's number is from 1 to {_LARGEST_PR}")
    if commit is None:
        raise InvalidInput(f"pull request {pr} alone makes no tag: give a commit of it too")
    return f"pr-{pr}-{_described(commit)}"


def _described(commit: str) -> str:
    """What `git describe --tags --always` prints for the commit in the CI's clone."""
    match = _compiled(_DESCRIBE).fullmatch(commit) if len(commit) <= _LONGEST_DESCRIBE else None
    if match is None:
        raise InvalidInput(
            f"invalid commit {_quoted(commit)}: give 4 to 40 hexadecimal digits, or what 'git describe' "
            f"prints (v0.11.0, v0.11.0-3-gabc1234), at most {_LONGEST_DESCRIBE} characters"
        )
    distance, digits = match.groups()
    if digits is None:
        return commit
    # A fresh clone, which the CI's is, abbreviates to seven digits.
    return str(distance + (digits[:_SHORT_HASH] if len(digits) == _FULL_HASH else digits).lower())


def _quoted(text: str) -> str:
    """The text as a message shows it: in quotes, control characters escaped, shortened."""
    return repr(text if len(text) <= 100 else f"{text[:97]}…")
