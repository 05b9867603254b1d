"""Plain lines for pipes and ``$(…)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crane_mirrors.render._result import Result, Terminal

__all__ = ["render"]


def render(result: Result, _terminal: Terminal) -> str:
    """Write one line each."""
    return "".join(f"{line}\n" for line in result.lines)
