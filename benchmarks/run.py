"""Measure crane-mirrors against its limits, as ratios inside one run.

    python benchmarks/run.py                 all measurements
    python benchmarks/run.py start memory    some of them
    python benchmarks/run.py --runs 45       more pairs, for a machine that is not quiet

It needs the standard library, and a Python that has crane-mirrors installed: the one that it runs under. What is
compared runs in turn, on the same machine, with the same Python; medians are compared. Exit code 1 means that a
limit was missed. A busy machine shows in ratios too, only less: do nothing else meanwhile. All of it takes a quarter
of an hour, and 4 GB of room for temporary files.

The last of the measurements need a network, and make one that nothing leaves: two network namespaces with a link that
delays what crosses it. That takes Linux, root, /dev/net/tun and iproute2, and the programs that they compare with:
openssl, git, curl, skopeo, podman. What cannot be had is said, and that measurement is left out.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import _live
import _transfer
from _inputs import catalogue, last_image, sed_rules, strings, text
from _link import Absent
from _measure import Call, Row, at_most, demand_same_output, paired, peak_memory, print_table, unlimited

FEWEST_RUNS = 15
PROGRAM = str(Path(sysconfig.get_path("scripts"), "crane-mirrors"))

FEW, SOME, MANY = 30, 300, 10_000
"""How many entries a generated catalogue has; as many are the rules of sed."""

BUILT_IN = "image craned --tag main"
OF_MANY = f"image, of {MANY:,} entries"
MEGABYTES = 100
STRINGS = 100_000


class Bench(NamedTuple):
    """What every measurement needs: how often to run, where to put files, and a clean environment."""

    runs: int
    folder: Path
    environment: dict[str, str]

    def call(self, *words: str, cache: bool = True) -> Call:
        """Make the call of a command, with or without the cache of compiled catalogues."""
        return Call(words, self.environment if cache else {**self.environment, "CRANE_MIRRORS_NO_CACHE": "1"})

    def python(self, code: str) -> Call:
        """Make the call that runs a line of Python in the same environment."""
        return self.call(sys.executable, "-c", code)

    def craned(self, *, cache: bool = True) -> Call:
        """Ask for an entry of the built-in catalogue."""
        return self.call(PROGRAM, "image", "craned", "--tag", "main", cache=cache)

    def last_of_many(self, *, cache: bool = True) -> Call:
        """Ask for the last image of a generated catalogue: the one that takes longest to find."""
        many = catalogue(self.folder, MANY)
        return self.call(PROGRAM, "image", last_image(MANY), "--tag", "main", "--catalogue", many, cache=cache)

    def rewrite(self, file: str, entries: int) -> Call:
        """Rewrite a file with a generated catalogue."""
        return self.call(PROGRAM, "rewrite", "--catalogue", catalogue(self.folder, entries), file)

    def sed(self, file: str, rules: int) -> Call:
        """Rewrite a file with sed, in the locale in which it is fastest. Ends the program without GNU sed."""
        sed = shutil.which("sed") or "sed"
        if "GNU" not in subprocess.run([sed, "--version"], capture_output=True, text=True, check=False).stdout:
            raise SystemExit("benchmarks/run.py: 'rewrite' is measured against GNU sed, which is not here")
        return Call((sed, "-f", sed_rules(self.folder, rules), file), {**self.environment, "LC_ALL": "C"})

    def resolve(self, entries: int) -> Call:
        """Resolve many different strings with a generated catalogue."""
        call = self.call(PROGRAM, "resolve", "-", "--catalogue", catalogue(self.folder, entries))
        return call._replace(stdin=strings(self.folder, STRINGS))


def start(bench: Bench) -> list[Row]:
    """The whole program, from the shell's call to its end, against what its command-line library costs alone."""
    ours, click, nothing = paired(bench.runs, bench.craned(), bench.python("import click"), bench.python("pass"))
    return [
        at_most(1.4, BUILT_IN, ours.whole, "python -c 'import click'", click.whole),
        unlimited(BUILT_IN, ours.whole, "python -c pass", nothing.whole),
    ]


def many_entries(bench: Bench) -> list[Row]:
    """A catalogue of 10,000 entries from the second call on, against the built-in one."""
    many, few = paired(bench.runs, bench.last_of_many(), bench.craned())
    return [at_most(1.5, OF_MANY, many.whole, "the built-in catalogue", few.whole)]


def first_call(bench: Bench) -> list[Row]:
    """What a call costs that finds nothing in the cache, against one that does."""
    rows = []
    for what, call, runs in ((BUILT_IN, bench.craned, bench.runs), (OF_MANY, bench.last_of_many, FEWEST_RUNS)):
        without, cached = paired(runs, call(cache=False), call())
        rows.append(unlimited(f"{what}, without cache", without.whole, "with cache", cached.whole))
    return rows


def rewrite(bench: Bench) -> list[Row]:
    """A large text, against sed with the same literal rules, and with many entries against few."""
    file = text(bench.folder, MEGABYTES)
    calls = (bench.rewrite(file, FEW), bench.sed(file, FEW), bench.rewrite(file, MANY))
    demand_same_output(*calls)
    few, few_sed, many = paired(FEWEST_RUNS, *calls)
    # sed takes a minute for the large text with so many rules. With the small one our start counts for more.
    small = text(bench.folder, MEGABYTES // 5)
    some, some_sed = paired(FEWEST_RUNS // 5, bench.rewrite(small, SOME), bench.sed(small, SOME))
    what = "rewrite of {} MB, {:,} entries".format
    return [
        at_most(1, what(MEGABYTES, FEW), few.whole, f"sed, {FEW} rules", few_sed.whole),
        at_most(0.1, what(MEGABYTES // 5, SOME), some.whole, f"sed, {SOME} rules", some_sed.whole),
        at_most(1.11, what(MEGABYTES, MANY), many.whole, f"{FEW} entries", few.whole),
    ]


def resolve(bench: Bench) -> list[Row]:
    """How many strings one core resolves in a second, start and end of the program included."""
    few, many = paired(bench.runs, bench.resolve(FEW), bench.resolve(MANY))
    rate = STRINGS / few.busy
    what = f"resolve -, {STRINGS:,} strings, {{:,}} entries".format
    return [
        Row(what(FEW), f"{rate:,.0f} /s", "a second of one core", "", "at least 50,000 /s", rate >= 50_000),
        at_most(1.1, what(MANY), many.busy, f"{FEW} entries", few.busy),
    ]


def memory(bench: Bench) -> list[Row]:
    """Peak memory of each of these, against the interpreter's own."""
    nothing = peak_memory(bench.python("pass"))
    calls = {
        "python -c 'import click'": bench.python("import click"),
        BUILT_IN: bench.craned(),
        f"{BUILT_IN}, without cache": bench.craned(cache=False),
        OF_MANY: bench.last_of_many(),
        f"{OF_MANY}, without cache": bench.last_of_many(cache=False),
        f"resolve -, {MANY:,} entries": bench.resolve(MANY),
        f"rewrite of {MEGABYTES} MB, {MANY:,} entries": bench.rewrite(text(bench.folder, MEGABYTES), MANY),
        f"rewrite of {MEGABYTES} MB in one line": bench.rewrite(text(bench.folder, MEGABYTES, lines=False), FEW),
    }
    rows = []
    for what, call in calls.items():
        _ = peak_memory(call)  # so that the cache is there, where there is one
        peak = peak_memory(call)
        row = Row(f"memory of {what}", f"{peak:.1f} MB", f"python -c pass: {nothing:.1f} MB", f"{peak / nothing:.2f}")
        if what.startswith("rewrite"):
            row = row._replace(limit="at most 100 MB more", kept=peak - nothing <= 100)
        rows.append(row)
    return rows


def _tried(measure: Callable[[_live.Tried], list[Row]], bench: Bench) -> list[Row]:
    """Measure in a folder of its own; what cannot be had here is said where the figures would stand."""
    folder = bench.folder / f"{measure.__name__}-world"
    folder.mkdir()
    try:
        return measure(_live.Tried(PROGRAM, bench.environment, folder, FEWEST_RUNS))
    except Absent as absent:
        return [Row(f"{measure.__name__}: NOT MEASURED", "", str(absent), "")]
    finally:
        shutil.rmtree(folder)


MEASUREMENTS: dict[str, Callable[[Bench], list[Row]]] = {
    "start": start,
    "many-entries": many_entries,
    "first-call": first_call,
    "rewrite": rewrite,
    "resolve": resolve,
    "memory": memory,
    "config": partial(_tried, _transfer.config),
    "probe": partial(_tried, _live.probe),
    "fastest": partial(_tried, _live.fastest),
    "check": partial(_tried, _live.check),
    "fetch": partial(_tried, _transfer.fetch),
    "pull": partial(_tried, _transfer.pull),
}


def clean_environment(folder: Path) -> dict[str, str]:
    """Give an environment with a cache and settings of its own."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    homes = {name: str(folder / name.lower()) for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")}
    return {**kept, **homes}


def measured_program() -> str:
    """Say what is measured. Ends the program when this Python does not have crane-mirrors."""
    try:
        distribution = importlib.metadata.distribution("crane-mirrors")
    except importlib.metadata.PackageNotFoundError:
        raise SystemExit("benchmarks/run.py: this Python has no crane-mirrors: pip install . first") from None
    editable = '"editable": true' in (distribution.read_text("direct_url.json") or "")
    how = "an editable install" if editable else "installed"
    return f"crane-mirrors {distribution.version} ({how}), Python {sys.version.split()[0]}, {os.cpu_count()} cores"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MEASUREMENTS)}")
    parser.add_argument("--runs", type=int, default=25, help="pairs of runs, %(default)s if not given")
    options = parser.parse_args()
    unknown = set(options.names) - set(MEASUREMENTS)
    if unknown or options.runs < FEWEST_RUNS:
        parser.error(f"names are of {', '.join(MEASUREMENTS)}, and --runs is at least {FEWEST_RUNS}")
    print(measured_program(), flush=True)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as name:
        bench = Bench(options.runs, Path(name), clean_environment(Path(name)))
        for measurement in options.names or MEASUREMENTS:
            rows += MEASUREMENTS[measurement](bench)
    print_table(rows)
    missed = [row.what for row in rows if not row.kept]
    measured = [row for row in rows if row.measured]
    kept = f"all {'other ' if len(measured) < len(rows) else ''}limits kept" if measured else "nothing was measured"
    print(f"missed: {', '.join(missed)}" if missed else kept)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
