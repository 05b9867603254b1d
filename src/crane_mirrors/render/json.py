"""The envelope as JSON, in ASCII, so that it is valid in every locale."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crane_mirrors.render._result import Result, Terminal

__all__ = ["render"]


def render(result: Result, _terminal: Terminal) -> str:
    """Write the envelope, indented by two."""
    return json.dumps(result.envelope, indent=2) + "\n"
