"""The interval that a mirror promises between two synchronisations."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crane_mirrors.errors import InvalidInput
from crane_mirrors.model import shown

__all__ = ["Interval"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class Interval:
    """A promised time between two synchronisations, in seconds."""

    seconds: int

    @classmethod
    def parse(cls, text: str) -> Interval:
        """Read a whole number and one of ``s m h d``. Raises InvalidInput.

        >>> Interval.parse("6h").seconds, str(Interval.parse("90m")), str(Interval(86400))
        (21600, '90m', '1d')
        """
        if not re.fullmatch(r"[1-9][0-9]{0,5}[smhd]", text):
            raise InvalidInput(f"invalid interval {shown(text)}: a whole number and s, m, h or d, as in 6h")
        return cls(int(text[:-1]) * _UNITS[text[-1]])

    def __str__(self) -> str:
        """Use the largest unit that divides the interval."""
        unit = next(unit for unit in "dhms" if self.seconds % _UNITS[unit] == 0)
        return f"{self.seconds // _UNITS[unit]}{unit}"
