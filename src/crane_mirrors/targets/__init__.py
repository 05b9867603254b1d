"""Configuration formats of clients and clusters: one file each, whose name is the word on the command line."""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from crane_mirrors.targets._base import Configuration, Copies, File, LeftOut, Options, Stay, Target
from crane_mirrors.targets._copies import copies

if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "Configuration",
    "Copies",
    "File",
    "LeftOut",
    "Options",
    "Stay",
    "Target",
    "copies",
    "target_named",
    "target_names",
]


def target_names() -> tuple[str, ...]:
    """List the targets that have a file, sorted; an underscore in its name stands for a dot."""
    files = os.listdir(os.path.dirname(__file__))
    return tuple(
        sorted(name[:-3].replace("_", ".") for name in files if name.endswith(".py") and not name.startswith("_"))
    )


def target_named(name: str) -> Target:
    """Give the target with a name of ``target_names``."""
    module: Any = import_module(f"{__name__}.{name.replace('.', '_')}")
    target: Target = module.TARGET
    return target
