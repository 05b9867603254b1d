"""Prometheus's text exposition, for a cron job that feeds monitoring.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from crane_mirrors.render._result import Result, Terminal

__all__ = ["render"]

_LABELS = ("kind", "name", "what", "mirror", "host")


def _seconds(field: str, scale: float) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda row: None if row[field] is None else row[field] / scale


_GAUGES: tuple[tuple[str, str, Callable[[Mapping[str, Any]], float | None]], ...] = (
    ("up", "Whether the mirror gave an answer.", lambda row: float(row["verdict"] != "unreachable")),
    (
        "fresh",
        "Whether the mirror has what the origin has.",
        lambda row: None if row["verdict"] in ("unreachable", "unknown") else float(row["verdict"] == "fresh"),
    ),
    ("lag_seconds", "For how long the mirror has been behind, as far as is known.", _seconds("lag_seconds", 1)),
    ("latency_seconds", "How long the mirror's answer took.", _seconds("latency_ms", 1000)),
)


def render(result: Result, _terminal: Terminal) -> str:
    """Write one gauge after the other; what is not known has no sample, and a series has one only."""
    lines: list[str] = []
    for name, text, value_of in _GAUGES:
        samples = {_labels(row): value for row in result.rows if (value := value_of(row)) is not None}
        if samples:
            lines += [f"# HELP crane_mirrors_{name} {text}", f"# TYPE crane_mirrors_{name} gauge"]
            lines += [f"crane_mirrors_{name}{{{labels}}} {value:.6g}" for labels, value in samples.items()]
    return "".join(f"{line}\n" for line in lines)


def _labels(row: Mapping[str, Any]) -> str:
    return ",".join(f'{label}="{_escaped(str(row[label] or ""))}"' for label in _LABELS)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
