"""What a host kind is: how the URLs of its repositories and files are built and parsed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from crane_mirrors.errors import NoRoute
from crane_mirrors.files import FilePath, Ref
from crane_mirrors.url import decode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.url import URL

__all__ = ["Found", "HostKind"]


@dataclass(frozen=True, slots=True)
class Found:
    """What a URL names on a host: a repository, or a file of it at a ref; ``page`` if it is one to look at."""

    repository: str
    ref: Ref | None = None
    path: FilePath | None = None
    page: bool = False


class HostKind:
    """A kind of host; the methods here are those of a host that nobody described, and each file overrides some.

    ``domains`` are exact host names, or ``*.suffix`` for every host below a name.
    """

    domains: ClassVar[tuple[str, ...]] = ()
    token_scheme: ClassVar[str] = "Bearer"
    """What stands before a token in the ``Authorization`` header (RFC 6750, where a host has no word of its own)."""
    raw_note: ClassVar[str | None] = None
    """What a person should know before reading a raw file there."""

    @property
    def name(self) -> str:
        """The word on the command line: the name of the file that the class stands in."""
        module = type(self).__module__.rpartition(".")[2]
        return "generic" if module == "_base" else module

    def raw_url(self, clone: URL, ref: Ref, path: FilePath) -> str:
        """Build the URL of a file's bytes from the repository's clone URL. Raises NoRoute when the host has none."""
        raise NoRoute(f"{clone.host} has no known form of raw-file URLs ({ref}, {path})")

    def file_page(self, clone: URL, ref: Ref, path: FilePath) -> str | None:
        """Build the URL of a file's page for people, if the host has one."""
        return None

    def find(self, url: URL) -> Found | None:
        """Say which repository or file a URL names; None when it is neither, an issue's page for example."""
        return Found((server_of(url) + url.path).removesuffix(".git"))

    def claims(self, host: str) -> bool:
        """Tell whether a host name is one of this kind's own."""
        return any(host == name or (name[:2] == "*." and host.endswith(name[1:])) for name in self.domains)


def server_of(url: URL) -> str:
    """Name the server that has a repository's pages: the port of ssh and of Git's own protocol says nothing of it."""
    return url.authority if url.scheme in ("http", "https") else url.host


def file_in(repository: str, ref: str, path: Sequence[str], *, page: bool = False) -> Found | None:
    """Make a Found of URL segments that are still percent-encoded; None when one of them is empty."""
    if not ref or not path or not all(path):
        return None
    return Found(repository, Ref(decode(ref)), FilePath(decode("/".join(path))), page)


def split_ref(segments: Sequence[str]) -> tuple[str, Sequence[str]]:
    """Part ``main/a/b`` or ``refs/heads/main/a/b`` into ref and path, still percent-encoded.

    A ref with a slash cannot be told from a folder here: the first segment is taken.

    >>> split_ref(["refs", "heads", "main", "a"]), split_ref(["main", "a", "b"])
    (('main', ['a']), ('main', ['a', 'b']))
    """
    if len(segments) > 2 and segments[0] == "refs" and segments[1] in ("heads", "tags"):
        return segments[2], segments[3:]
    return (segments[0], segments[1:]) if segments else ("", ())


def below(repository: str, rest: Sequence[str]) -> Found | None:
    """Read what follows ``OWNER/REPO`` where a host has GitHub's shapes; None for an issue's page and its like.

    >>> below("github.com/o/r", ["blob", "main", "a.md"]).page, below("github.com/o/r", ["issues", "12"])
    (True, None)
    """
    match rest:
        case []:
            return Found(repository)
        case ["raw" | "blob" as form, *more]:
            return file_in(repository, *split_ref(more), page=form == "blob")
        case ["tree", _, *_]:
            return Found(repository, page=True)
    return None
