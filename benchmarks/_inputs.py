"""What the measurements work on: a catalogue of any size, the same as rules for sed, and texts that name its entries.

Everything is made of numbers, so that it is the same in every run.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

NAMED = 30
"""Texts name only the first entries: so one text can be rewritten with catalogues of any size."""

_TEXT = (
    "apiVersion: kind: metadata: name: labels: spec: replicas: template: containers: resources: limits: cpu: memory: "
    "requests: env: value: volumeMounts: readOnly: true false 100m 256Mi the a of and to install chart cluster node "
    "pod namespace kube-system default --set --namespace kubectl apply helm upgrade # - | > 0.11.0 v1 apps/v1 "
    "rbac.authorization.k8s.io/v1 /etc/config ./deploy/values.yaml path/to/file owner/other "
    "https://example.org/docs/page quay.io/other/image:1.2"
)


class Entry(NamedTuple):
    """One entry of the catalogue: an address, and that of its best mirror."""

    section: str
    name: str
    origin: str
    mirror: str


def entry(number: int) -> Entry:
    """Make one entry: of ten, six are images, two Helm and two Git repositories. No name begins with another."""
    owner, name = f"owner-{number // 10:04}", f"thing-{number:05}"
    if number % 10 < 6:
        return Entry("images", name, f"docker.io/{owner}/{name}", f"mirror.example/{owner}/images/{name}")
    if number % 10 < 8:
        return Entry("helm", name, f"https://{owner}.github.io/{name}", f"https://helm.mirror.example/{owner}/{name}")
    return Entry("git", name, f"https://github.com/{owner}/{name}", f"https://git.mirror.example/{owner}/{name}")


def last_image(entries: int) -> str:
    """Name the last image of a catalogue with so many entries."""
    numbers = range(entries - 1, -1, -1)
    return next(entry(number).name for number in numbers if entry(number).section == "images")


def catalogue(folder: Path, entries: int) -> str:
    """Write a catalogue of so many entries, and nothing built-in, unless it is there; give its path."""
    path = folder / f"{entries}.yaml"
    if not path.exists():
        lines = ["version: 1", "builtin: false", "regions: {cn: [mirror, second]}"]
        for section in ("images", "helm", "git"):
            lines += [f"{section}:", *(_rows(each) for each in map(entry, range(entries)) if each.section == section)]
        path.write_text("\n".join(lines) + "\n", encoding="ascii")
    return str(path)


def _rows(each: Entry) -> str:
    more = (
        ["default_tag: main", "platforms: [linux/amd64, linux/arm64]"] if each.section == "images" else ["synced: 6h"]
    )
    mirrors = [f"  mirror: {each.mirror}", f"  second: {each.mirror.replace('mirror.', 'second.')}"]
    return "\n    ".join([f"  {each.name}:", f"origin: {each.origin}", *more, "mirrors:", *mirrors])


def sed_rules(folder: Path, rules: int) -> str:
    """Write what rewrites the same entries as a script for sed, one literal rule each; give its path."""
    path = folder / f"{rules}.sed"
    rows = map(entry, range(rules))
    lines = ("s|{}|{}|g\n".format(each.origin.replace(".", r"\."), each.mirror) for each in rows)
    path.write_text("".join(lines), encoding="ascii")
    return str(path)


def text(folder: Path, megabytes: int, *, lines: bool = True) -> str:
    """Write a text of words, paths and addresses, one line in twenty with one of the first entries; give its path.

    Without ``lines`` there is not one line break in it.
    """
    path = folder / f"{megabytes}{'' if lines else '-in-one-line'}.txt"
    if not path.exists():
        block = "".join(_lines(random.Random(1), 2**22)).encode("ascii")[: 2**22 - 1] + b"\n"
        block = block if lines else block.replace(b"\n", b" ")
        with path.open("wb") as file:
            for _ in range(megabytes // 4):
                file.write(block)
    return str(path)


def _lines(chance: random.Random, size: int) -> list[str]:
    found: list[str] = []
    words = _TEXT.split()
    while size > 0:
        line = chance.choices(words, k=chance.randint(2, 12))
        if chance.random() < 0.05:
            line.append(entry(chance.randrange(NAMED)).origin)
        found.append("  " * chance.randrange(4) + " ".join(line) + "\n")
        size -= len(found[-1])
    return found


def strings(folder: Path, count: int) -> str:
    """Write so many strings that name one of the first entries, one a line, all different; give its path."""
    path = folder / f"{count}-strings.txt"
    path.write_text("".join(f"{_string(number)}\n" for number in range(count)), encoding="ascii")
    return str(path)


def _string(number: int) -> str:
    each = entry(number % NAMED)
    address = each.mirror if number // NAMED % 3 == 0 else each.origin
    match each.section:
        case "images":
            return f"{address.removeprefix('docker.io/')}:v{number}"
        case "helm":
            return f"{address}/{each.name}-{number}.tgz"
        case _ if number // NAMED % 2:
            return f"{address}.git"
        case _:
            return (
                f"https://raw.githubusercontent.com{each.origin.removeprefix('https://github.com')}/v{number}/a/b.yaml"
            )
