"""The envelope as YAML, in ASCII, so that it is valid in every locale."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crane_mirrors.render._result import Result, Terminal

__all__ = ["render"]


def render(result: Result, _terminal: Terminal) -> str:
    """Write the envelope with its keys in their order and no line folded."""
    import yaml

    text: str = yaml.safe_dump(result.envelope, sort_keys=False, allow_unicode=False, width=2**20)
    return text
