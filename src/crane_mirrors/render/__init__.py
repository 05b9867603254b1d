"""Output formats: one file each, whose name is the word on the command line; nothing else lists them."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from crane_mirrors.render._result import Result, Terminal

if TYPE_CHECKING:
    from typing import Any

__all__ = ["Result", "Terminal", "format_names", "render"]


def format_names(command: str = "") -> tuple[str, ...]:
    """List the formats that have a file, sorted; a folder with a command's name has those that it alone knows.

    >>> format_names()
    ('json', 'plain', 'table', 'yaml')
    >>> format_names("check")
    ('json', 'plain', 'prometheus', 'table', 'yaml')
    """
    here = os.path.dirname(__file__)
    files = os.listdir(here) + (os.listdir(os.path.join(here, command)) if command else [])
    return tuple(sorted(name[:-3] for name in files if name.endswith(".py") and not name.startswith("_")))


def render(format_name: str, result: Result, terminal: Terminal) -> str:
    """Write a result in a format of ``format_names``, with a newline at its end unless it is empty."""
    own = os.path.exists(os.path.join(os.path.dirname(__file__), result.command, f"{format_name}.py"))
    module: Any = import_module(f"{__name__}.{result.command}.{format_name}" if own else f"{__name__}.{format_name}")
    text: str = module.render(result, terminal)
    return text
