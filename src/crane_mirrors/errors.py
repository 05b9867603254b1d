"""The exception tree; each class knows the exit code that the command line gives it.

CraneMirrorsError
├── NegativeAnswer          1   the question was answered, and the answer is no
├── InvalidInput            2   a string or a combination of options makes no sense
│   ├── InvalidReference        an image reference, repository, tag or digest
│   ├── InvalidPlatform
│   ├── InvalidRef              a Git branch, tag or commit
│   ├── InvalidPath             a path of a file in a Git repository
│   └── InvalidURL
├── NotFound                3   the string is fine, but the catalogue cannot serve it
│   ├── UnknownName             no such entry, region, mirror, … (with the nearest name)
│   └── NoRoute                 the entry is known, but not on that mirror, or not as asked
├── NetworkFailed           4
├── InvalidCatalogue        5   with every problem and its position
└── FileFailed              6   a file, or the output, could not be read or written
"""

from __future__ import annotations

__all__ = [
    "CraneMirrorsError",
    "FileFailed",
    "InvalidCatalogue",
    "InvalidInput",
    "InvalidPath",
    "InvalidPlatform",
    "InvalidRef",
    "InvalidReference",
    "InvalidURL",
    "NegativeAnswer",
    "NetworkFailed",
    "NoRoute",
    "NotFound",
    "UnknownName",
]


class CraneMirrorsError(Exception):
    """Everything that this package raises on purpose; the message is one line for a person."""

    exit_code = 1


class NegativeAnswer(CraneMirrorsError):
    """Everything worked, and the answer is no: not equal, or nobody has it."""


class InvalidInput(CraneMirrorsError):
    """A string that cannot be parsed, or options that contradict each other."""

    exit_code = 2


class InvalidReference(InvalidInput):
    """Not an image reference, repository, tag or digest."""


class InvalidPlatform(InvalidInput):
    """Not a platform, or none that the entry is built for."""


class InvalidRef(InvalidInput):
    """Not a Git branch, tag or commit."""


class InvalidPath(InvalidInput):
    """Not a path of a file inside a Git repository."""


class InvalidURL(InvalidInput):
    """Not a URL that a catalogue or a person may name."""


class NotFound(CraneMirrorsError):
    """The string is well-formed, but the catalogue has no answer to it."""

    exit_code = 3


class UnknownName(NotFound):
    """No entry, mirror or region has this name."""


class NoRoute(NotFound):
    """The entry exists, but no chosen mirror has it or can express what was asked for."""


class NetworkFailed(CraneMirrorsError):
    """No server gave a usable answer."""

    exit_code = 4


class InvalidCatalogue(CraneMirrorsError):
    """A catalogue cannot be used; ``problems`` holds a line ``file:line:column: message`` for each reason."""

    exit_code = 5

    def __init__(self, problems: tuple[str, ...]) -> None:
        more = f" (and {len(problems) - 1} more: see 'catalogue validate')" if len(problems) > 1 else ""
        super().__init__(problems[0] + more)
        self.problems = problems


class FileFailed(CraneMirrorsError):
    """A file or the standard output could not be read or written."""

    exit_code = 6
