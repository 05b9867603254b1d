"""Variables for shell scripts: ``eval "$(crane-mirrors config env)"``, or a file to read with ``.``."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from crane_mirrors.catalogue.entry import Prefix
from crane_mirrors.targets._base import Configuration, File, LeftOut, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crane_mirrors.catalogue.entry import Entry
    from crane_mirrors.targets._base import Copies, Options

__all__ = ["TARGET"]

_HEAD = """\
# A variable holds where an entry's best mirror is: docker pull "$CRANE_MIRRORS_IMAGE_CRANED:main"
# That of a prefix holds what stands before the rest of a name, without the slash.
"""


class Env(Target):
    """Exported variables in POSIX sh, ``CRANE_MIRRORS_`` and kind and name; bash, dash, zsh and fish read them."""

    kinds = ("image", "helm", "git", "raw")

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write a variable for each entry; left out are all whose names make the same variable."""
        names = Counter(_variable(row.entry) for row in rows)
        lines: list[str] = []
        left_out: list[LeftOut] = []
        for entry, (best, *_), _ in rows:
            variable, location = _variable(entry), best.location
            if names[variable] > 1:
                reason = (
                    f"another entry's name makes {variable} as well; crane-mirrors {entry.kind} can tell them apart"
                )
                left_out.append(LeftOut(entry.kind, entry.name, best.name, reason))
                continue
            text = location.head if isinstance(location, Prefix) else str(location)
            lines.append(f"export {variable}={_quoted(text)}\n")
        files = (File("crane-mirrors.sh", _HEAD + "".join(lines)),) if lines else ()
        return Configuration(files, tuple(left_out))


def _variable(entry: Entry) -> str:
    """Make a variable's name; the kind in it keeps it apart from the program's own, such as CRANE_MIRRORS_REGION."""
    return f"CRANE_MIRRORS_{entry.kind}_{re.sub('[^A-Za-z0-9]', '_', entry.name)}".upper()


def _quoted(text: str) -> str:
    r"""Quote for every shell: fish knows an escaped quote within quotes too, but POSIX does not.

    >>> print(_quoted("a'b"))
    'a'\''b'
    """
    return "'" + text.replace("'", r"'\''") + "'"


TARGET = Env()
