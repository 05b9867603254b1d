"""Fetch one file: route after route until one brings what was asked for, and never parts of two."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

from crane_mirrors.cli._part import PartFile, check_target
from crane_mirrors.cli._sources import failure
from crane_mirrors.errors import CraneMirrorsError, InvalidInput, NegativeAnswer, NetworkFailed
from crane_mirrors.live.causes import Failed, NotThere
from crane_mirrors.live.download import Downloader, Source
from crane_mirrors.live.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from crane_mirrors.live.download import Bounds
    from crane_mirrors.live.tokens import Login
    from crane_mirrors.resolve.routes import Route

__all__ = ["Attempt", "Fetch", "Spool", "Taken"]


class Attempt(NamedTuple):
    """A route that was tried, and why it was of no use, if it was; ``answer`` says what its server has or has not."""

    route: Route
    cause: str | None = None
    answer: Literal["wanted", "other", "nothing", "none"] = "wanted"


class Taken(NamedTuple):
    """What was fetched: how many bytes by which route, and their hash where somebody wanted to know it."""

    route: Route
    size: int
    sha256: str | None


class Spool:
    """A temporary file without a name, for what goes to the standard output, or is only compared."""

    def __init__(self) -> None:
        """Make it. Raises FileFailed, and so does everything."""
        self.length = 0
        self.validator: str | None = None
        try:
            self.file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115
        except OSError as error:
            raise failure(error, tempfile.gettempdir()) from None

    def __enter__(self) -> Spool:
        """Give itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let it go."""
        self.file.close()

    def restart(self, validator: str | None) -> None:
        """Drop all bytes; what follows is of an answer with this validator."""
        self.file.seek(0)
        self.file.truncate()
        self.length, self.validator = 0, validator

    def write(self, chunk: bytes | memoryview) -> None:
        """Append bytes."""
        rest = memoryview(chunk)
        try:
            while rest:
                written = self.file.write(rest)
                self.length += written
                rest = rest[written:]
        except OSError as error:
            raise failure(error, tempfile.gettempdir()) from None

    def digest(self) -> str:
        """Give the SHA-256 of what is there, in hexadecimal digits."""
        from hashlib import file_digest

        self.file.seek(0)
        return file_digest(self.file, "sha256").hexdigest()

    def discard(self) -> None:
        """Drop all bytes."""
        self.restart(None)

    def write_to(self, stream: IO[bytes]) -> None:
        """Write everything to a stream. Raises InvalidInput for what a terminal would obey."""
        if self.length and stream.isatty() and self._has_controls():
            raise InvalidInput("the file has control characters, which a terminal obeys: use --output-file, or a pipe")
        self.file.seek(0)
        while chunk := self.file.read(2**20):
            stream.write(chunk)

    def _has_controls(self) -> bool:
        from mmap import ACCESS_READ, mmap

        with mmap(self.file.fileno(), 0, access=ACCESS_READ) as whole:
            return re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]", whole) is not None


@dataclass
class Fetch:
    """One call: what is tried, where it goes, and what happened so far."""

    routes: tuple[Route, ...]
    secret: Callable[[Route], Mapping[str, str]]
    login: Callable[[str], Login | None]
    bounds: Bounds
    tell: Callable[[int, int | None], None]
    sha256: str | None = None
    origin: Route | None = None
    trust: Trust = field(default_factory=Trust)
    attempts: list[Attempt] = field(default_factory=list)

    def to_file(self, path: str) -> Taken:
        """Put the file into its place. Raises NegativeAnswer, NetworkFailed or FileFailed; nothing is written then."""
        check_target(path)
        wanted = self._wanted()
        for route in self.routes:
            with PartFile(path, route.target) as part:
                taken = self._tried(route, part, wanted)
                if taken:
                    part.finish()
                    return taken
        raise self._nothing(wanted)

    def to_stream(self, stream: IO[bytes]) -> Taken:
        """Write the file to a stream once it is whole. Raises as ``to_file``."""
        wanted = self._wanted()
        for route in self.routes:
            with Spool() as spool:
                taken = self._tried(route, spool, wanted)
                if taken:
                    spool.write_to(stream)
                    return taken
        raise self._nothing(wanted)

    def _wanted(self) -> str | None:
        """Give the hash that the file must have: by an option, by the origin, or by both; None for any."""
        if self.origin is None:
            return self.sha256
        with Spool() as spool:
            try:
                self._download(self.origin, spool)
            except Failed as error:
                raise NetworkFailed(
                    f"nothing to compare with: the origin, {self.origin.place.name}, failed: {error.cause}"
                ) from None
            found = spool.digest()
        if self.sha256 not in (None, found):
            raise NegativeAnswer(f"the origin's file is not what --sha256 says: {found}, not {self.sha256}")
        return found

    def _tried(self, route: Route, store: PartFile | Spool, wanted: str | None) -> Taken | None:
        try:
            self._download(route, store)
        except Failed as error:
            self.attempts.append(Attempt(route, error.cause, "nothing" if isinstance(error, NotThere) else "none"))
            return None
        found = store.digest() if wanted else None
        if found == wanted:
            self.attempts.append(Attempt(route))
            return Taken(route, store.length, found)
        store.discard()
        self.attempts.append(Attempt(route, f"other content, sha256 {found}", "other"))
        if self.origin:
            raise NegativeAnswer(f"{route.place.name} has {found}, the origin {wanted}; nothing was written")
        return None

    def _download(self, route: Route, store: PartFile | Spool) -> None:
        source = self._source(route)
        Downloader(self.bounds, self.tell, self.trust).download(source, store)
        if source.sha256 and store.digest() != source.sha256:
            store.discard()
            raise Failed("not what its digest says")

    def _source(self, route: Route) -> Source:
        if route.target.startswith("oci://"):
            from crane_mirrors.live.oci import archive_of

            return archive_of(route.target, self.bounds.idle, self.login)
        if not route.target.startswith(("https://", "http://")):
            raise Failed("no address on the web")
        return Source(route.target, self.secret(route))

    def _nothing(self, wanted: str | None) -> CraneMirrorsError:
        """Say why there is nothing to take: no is an answer only where every server gave one."""
        told = "; ".join(f"{attempt.route.place.name}: {attempt.cause}" for attempt in self.attempts)
        answers = {attempt.answer for attempt in self.attempts}
        if "other" in answers and "none" not in answers:
            return NegativeAnswer(f"sha256 {wanted} is nowhere: {told}; nothing was written")
        return NetworkFailed(f"no route worked: {told}; nothing was written")
