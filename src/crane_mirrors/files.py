"""Git refs and paths of files in a repository: values that cannot be built invalid."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crane_mirrors.errors import InvalidPath, InvalidRef
from crane_mirrors.model import shown

__all__ = ["FilePath", "Ref"]

# Of the surrogates only those are something: by them Python keeps the bytes of a name that is not UTF-8.
_LONE = r"\ud800-\udc7f\udd00-\udfff"
_NOT_IN_REF = re.compile(rf"[\x00-\x20\x7f~^:?*\[\\{_LONE}]")
_CONTROL = re.compile(rf"[\x00-\x1f\x7f-\x9f{_LONE}]")


@dataclass(frozen=True, slots=True)
class Ref:
    """A Git branch, tag or commit, checked by the rules of ``git check-ref-format``."""

    name: str

    def __post_init__(self) -> None:
        """Raise InvalidRef for what Git would not accept as a branch, a tag or a commit."""
        parts = self.name.split("/")
        if (
            not self.name
            or len(self.name) > 255
            or self.name.startswith("-")
            or self.name.endswith(".")
            or self.name == "@"
            or any(bad in self.name for bad in ("..", "@{"))
            or _NOT_IN_REF.search(self.name)
            or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
        ):
            raise InvalidRef(
                f"invalid ref {shown(self.name)}: a branch, tag or commit without spaces, '..', '~^:?*[\\' "
                "or empty parts (see git check-ref-format)"
            )

    def __str__(self) -> str:
        """Give the name as Git writes it."""
        return self.name


@dataclass(frozen=True, slots=True)
class FilePath:
    """A path of a file inside a repository: no empty, ``.`` or ``..`` segment, no control character."""

    text: str

    def __post_init__(self) -> None:
        """Raise InvalidPath when the path could name something outside of the repository, or nothing."""
        if _CONTROL.search(self.text):
            raise InvalidPath(f"invalid path {shown(self.text)}: control characters are not allowed")
        if len(self.text) > 4096:
            raise InvalidPath(f"invalid path {shown(self.text)}: more than 4096 characters")
        bad = next((part for part in self.text.split("/") if part in ("", ".", "..")), None)
        if bad is not None:
            what = f"the segment '{bad}'" if bad else "an empty segment"
            raise InvalidPath(f"invalid path {shown(self.text)}: {what} is not allowed")

    @classmethod
    def parse(cls, text: str) -> FilePath:
        """Read a path; one leading slash is fine. Raises InvalidPath.

        >>> str(FilePath.parse("/deploy/values.yaml"))
        'deploy/values.yaml'
        """
        return cls(text.removeprefix("/"))

    def __str__(self) -> str:
        """Give the path without a leading slash."""
        return self.text
