"""Git: an include file with ``url.<base>.insteadOf`` (git-config(1)), which sends fetches to mirrors.

Git compares plain text: of all rules whose value a URL begins with, the one with the longest value replaces it, once.
A rule for ``…/gocrane/crane`` alone would therefore redirect ``…/gocrane/crane-scheduler`` too. So each character that
can follow in another repository's name gets a guard, a rule longer by that character that leads where the URL would
have gone without the entry. What is left to the entry's own rules is its exact name, with and without ``.git``, each
with a slash at the end or anything below that.

Guards cost time, for Git puts every base into a list that it searches from the start: the time that each call needs
grows with the square of their number, which is told where it matters and has a limit. A prefix ends in a slash and
needs no guards.
"""

from __future__ import annotations

from string import ascii_letters, digits
from typing import TYPE_CHECKING

from crane_mirrors.catalogue.entry import Prefix, key_of
from crane_mirrors.targets._base import Configuration, File, LeftOut, Target
from crane_mirrors.targets._cluster import folders
from crane_mirrors.targets._redirects import some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crane_mirrors.catalogue.entry import Place
    from crane_mirrors.targets._base import Copies, Options, Stay

__all__ = ["TARGET"]

_FILE = "crane-mirrors.gitconfig"
# What names are made of on GitHub, GitLab, Gitea, Gitee, Coding and SourceHut; "%" begins any other character.
_FOLLOWING = ascii_letters + digits + "-._~+%"
# What git 2.39 took: 60 ms for 7,000 guards, 250 ms for twice and 800 ms for four times as many.
_MANY, _MS_FOR_MANY = 7_000, 60
_MOST_GUARDS = 4 * _MANY

_NOTES = (
    f"Git reads the file once it is included: git config --global --add include.path ~/.config/git/{_FILE}",
    "Git compares names letter by letter: github.com/GoCrane/Crane is the same to GitHub, but is not redirected",
    "a rule of your own for a whole host, to use SSH for instance, no longer counts for what begins like these names",
    "a remote's own pushurl is redirected as any URL is: a remote that has none pushes to its origin",
)


class Git(Target):
    """Fetches from the best mirror, pushes to the origin; works with every Git since 1.6.4."""

    kinds = ("git",)
    folder = "~/.config/git"
    options = frozenset({"ssh"})

    def configure(self, rows: Sequence[Copies], options: Options) -> Configuration:
        """Write rules for each repository and each prefix; ``options.ssh`` for its SSH forms as well."""
        exact, stay, left_out = _affordable(rows, options)
        rules: dict[str, str] = {}
        text = "".join(_section(row, rules, options) for row in exact)
        prefixes: dict[str, str] = {}
        text += "".join(_section(row, prefixes, options) for row in rows if row.entry.is_prefix)
        heads = {head: head for head in _heads_that_stay(rows, prefixes, options)}
        names = {
            name: name
            for each in stay
            for spelling in _spellings(each.place, options)
            for name in (spelling, f"{spelling}.git")
            if name not in rules
        }
        guards = {
            guard: base
            for place in (*(row.entry.origin for row in exact), *(each.place for each in stay))
            for spelling in _spellings(place, options)
            for guard, base in _guards(spelling, prefixes | heads)
            if guard not in rules and guard not in names
        }
        text += _identities("What stays where it is.", heads | names)
        text += _identities("Names that only begin like one of those above.", guards)
        notes = [*_NOTES, *(_without_ssh(rows) if options.ssh else ())]
        notes += [_slow(len(guards))] if len(guards) > _MANY else []
        return Configuration((File(_FILE, text.lstrip("\n")),) if text else (), left_out, tuple(notes))


def _affordable(
    rows: Sequence[Copies], options: Options
) -> tuple[Sequence[Copies], Sequence[Stay], tuple[LeftOut, ...]]:
    """Give the single repositories that are redirected, those that are not, and which of them are too many."""
    each = 2 * len(_FOLLOWING) * (3 if options.ssh else 1)
    most = _MOST_GUARDS // each
    reason = f"more than {most} single repositories would make Git too slow; a prefix entry costs it nothing"
    exact = [row for row in rows if not row.entry.is_prefix]
    stay = [each for each in _exceptions(rows) if not each.entry.is_prefix]
    left_out = [(row.entry, row.mirrors[0]) for row in exact[most:]]
    room = max(0, most - len(exact))
    left_out += stay[room:]
    return (
        exact[:most],
        stay[:room],
        tuple(LeftOut("git", entry.name, place.name, reason, ("env",)) for entry, place in left_out),
    )


def _without_ssh(rows: Sequence[Copies]) -> Iterator[str]:
    names = [str(row.entry.origin.location) for row in rows if ":" in row.entry.origin.host.rpartition("]")[2]]
    if names:
        yield f"which SSH server belongs to a port of the web is not known, so --ssh does nothing for {some(names)}"


def _slow(guards: int) -> str:
    ms = _MS_FOR_MANY * guards**2 // _MANY**2
    return f"{guards} rules make every call of Git about {ms} ms slower: use a prefix entry, or name fewer repositories"


def _section(row: Copies, rules: dict[str, str], options: Options) -> str:
    """Write an entry's rules, and note them with what each leads to."""
    mirror, lines, pushes = row.mirrors[0].location, [f"\n# {row.entry.name}\n"], []
    base = f"{mirror.head}/" if isinstance(mirror, Prefix) else str(mirror)
    for spelling in _spellings(row.entry.origin, options):
        for name in (spelling,) if row.entry.is_prefix else (f"{spelling}.git", spelling):
            if name not in rules:
                rules[name] = base
                lines.append(f"\tinsteadOf = {_quoted(name)}\n")
        # The same words as before, but said: only then is insteadOf not asked.
        pushes.append(f"[url {_quoted(spelling)}]\n\tpushInsteadOf = {_quoted(spelling)}\n")
    lines.insert(1, f"[url {_quoted(base)}]\n")
    return "".join(lines + pushes)


def _spellings(place: Place, options: Options) -> Iterator[str]:
    """Give what URLs of a place begin with: without ``.git``, but with the slash that ends a prefix."""
    from crane_mirrors.url import URL

    prefix = isinstance(place.location, Prefix)
    head = place.location.head if isinstance(place.location, Prefix) else str(place.location).removesuffix(".git")
    yield f"{head}/" if prefix else head
    url = URL.parse(head)
    # A port of the web says nothing of the SSH server: which one belongs to it is not known.
    if options.ssh and not url.query and not url.port:
        path = url.path[1:] + "/" * (prefix and bool(url.path))
        yield f"git@{url.host}:{path}"
        yield f"ssh://git@{url.host}/{path}"


def _guards(spelling: str, prefixes: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Give every beginning of another name, and where it leads."""
    longest = max((head for head in prefixes if spelling.startswith(head)), key=len, default="")
    base = prefixes.get(longest, "") + spelling[len(longest) :]
    for end in ("", ".git"):
        for char in _FOLLOWING:
            yield f"{spelling}{end}{char}", f"{base}{end}{char}"


def _exceptions(rows: Sequence[Copies]) -> Iterator[Stay]:
    """Give what would be redirected with all that is under a prefix; names on a prefix's own mirrors are not."""
    for row in rows:
        around = f"{key_of(row.entry.origin.location)}/"
        yield from (each for each in row.stay if key_of(each.place.location).startswith(around))


def _heads_that_stay(rows: Sequence[Copies], prefixes: dict[str, str], options: Options) -> Iterator[str]:
    """Give the prefixes that another one around them would redirect: those that stay, and the mirrors."""
    for each in _exceptions(rows):
        if each.entry.is_prefix:
            yield from _spellings(each.place, options)
    for row in rows if prefixes else ():
        for place in row.entry.mirrors:
            if isinstance(place.location, Prefix):
                head = f"{place.location.head}/"
                if any(f"{folder}/" in prefixes for folder in folders(head)):
                    yield from (name for name in _spellings(place, options) if name not in prefixes)


def _identities(comment: str, rules: dict[str, str]) -> str:
    lines = [f"[url {_quoted(base)}] insteadOf = {_quoted(name)}\n" for name, base in rules.items()]
    return "".join([f"\n# {comment}\n", *lines]) if lines else ""


def _quoted(text: str) -> str:
    """Quote a section's or a variable's value, in which ``;`` and ``#`` would else begin a comment."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


TARGET = Git()
