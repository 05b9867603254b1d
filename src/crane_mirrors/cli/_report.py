"""The report of a rewriting, on stderr: what was replaced, and what no mirror has."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from crane_mirrors.cli._messages import say
from crane_mirrors.render import Result, Terminal, render
from crane_mirrors.rewrite.changes import changes
from crane_mirrors.rewrite.leftovers import leftovers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crane_mirrors.catalogue import Catalogue
    from crane_mirrors.rewrite.engine import Block

__all__ = ["report_rows", "write_report"]


def report_rows(path: str, catalogue: Catalogue, pieces: Iterable[Block]) -> Iterator[dict[str, Any]]:
    """Give a row for each string that is replaced, and for each that is left and has no mirror."""
    line = 1
    for block in pieces:
        found: list[tuple[int, dict[str, Any]]] = []
        for change in changes(block, line):
            old, new = (text.decode("utf-8", "replace") for text in (change.old, change.new))
            found.append((change.line, {"action": "rewritten", "from": old, "to": new, "host": None}))
        for left in leftovers(catalogue, block, line):
            found.append((left.line, {"action": "no mirror", "from": left.text, "to": None, "host": left.host}))
        for number, row in sorted(found, key=lambda item: item[0]):
            yield {"file": path, "line": number, **row}
        line += block.text.count(b"\n", block.start, block.stop)


def write_report(rows: Sequence[dict[str, Any]], output: str | None) -> None:
    """Write the rows to stderr: lines for a person, or the envelope where JSON or YAML was asked for."""
    if sys.stderr is None:
        return
    if output in ("json", "yaml"):
        sys.stderr.write(render(output, Result("rewrite", rows=rows), Terminal(80, color=False, unicode=False)))
        return
    for row in rows:
        what = f"{row['from']} -> {row['to']}" if row["to"] else f"no mirror: {row['from']} ({row['host']})"
        say(f"{row['file']}:{row['line']}: {what}")
    done = sum(row["to"] is not None for row in rows)
    say(f"{done} rewritten, {len(rows) - done} left without a mirror")
