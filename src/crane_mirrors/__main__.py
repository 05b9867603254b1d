"""``python -m crane_mirrors``."""

from __future__ import annotations

import sys

from crane_mirrors.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    sys.exit(main())
