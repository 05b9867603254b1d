"""What is wrong with a catalogue: every message with its place, whatever the file holds, in bounded time and memory."""

from __future__ import annotations

import os
import re
import resource
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import CLI, PROJECT, examples
from hypothesis import example, given
from hypothesis import strategies as st

from crane_mirrors.catalogue import load, parse
from crane_mirrors.errors import InvalidCatalogue

BASE = ("base.yaml", b"version: 1\nregions: {cn: [coding]}\n")

V = "version: 1\n"
IMAGE = V + "images:\n  a:\n"
ORIGIN = IMAGE + "    origin: x/y\n"
GIT = V + "git:\n  a:\n"
HELM = V + "helm:\n  a:\n"

NOT_ONE = [
    ("", ": an empty catalogue: it must hold at least 'version: 1'"),
    ("# nothing\n\n# at all\n", ": an empty catalogue"),
    ("\ufeff", ": an empty catalogue"),
    ("---\n", ":2:1: must be a mapping with builtin, git, helm, images, raw, regions, version"),
    ("~\n", ":1:1: must be a mapping"),
    ("hello\n", ":1:1: must be a mapping"),
    ("- version: 1\n", ":1:1: must be a mapping"),
    ("version: 1\n---\nversion: 1\n", ":2:1: a second YAML document"),
    ("version: 1\n...\n---\n", ":3:1: a second YAML document"),
    ("version: 1\n...\nimages: {}\n", ":3:1: not YAML: "),
    ("version: 1\n\timages: {}\n", ":2:1: not YAML: found a tab character"),
    (IMAGE + "\t    origin: x/y\n", ":4:1: not YAML: "),
    ("version: 1\nimages: {a\n", ":3:1: not YAML: "),
    ('version: "1\n', ":2:1: not YAML: found unexpected end of stream"),
    ("version: 1\n  images: {}\n", ":2:9: not YAML: mapping values are not allowed"),
    ("version: 1: 2\n", ":1:11: not YAML: mapping values are not allowed"),
    ("version: @x\n", ":1:10: not YAML: found character that cannot start any token"),
    ('version: "\\q"\n', ":1:11: not YAML: found unknown escape character"),
    ('version: "\\ud800"\n', ":1:13: not YAML: found invalid Unicode character escape code"),
    ("%YAML 3.0\n---\nversion: 1\n", ":1:1: not YAML: found incompatible YAML document"),
    ("version: 1\x00\n", ":1:11: not YAML: control characters are not allowed"),
    ("version: 1\x1b[2J\n", ":1:11: not YAML: control characters are not allowed"),
    ("vërsiön: 1\n# ü\x07", ":2:4: not YAML: control characters are not allowed"),
    ("version: 1 \x80\n", ":1:12: not YAML: control characters are not allowed"),
    ("version: 1\nimages: " + "[" * 20, ":2:24: nested too deeply"),
    ("version: 1\nimages: " + "{a: " * 20, ":2:69: nested too deeply"),
    ("version: \ufffe\n", ":1:10: not YAML: control characters are not allowed"),
]

MARKS = [
    (V + "images: &x {}\n", ":2:9: images: YAML anchors and aliases are not allowed"),
    (V + "images: *x\n", ":2:9: images: YAML anchors and aliases are not allowed"),
    ("&a version: 1\n", ":1:1: YAML anchors and aliases are not allowed"),
    (V + "images: !!map {}\n", ":2:9: images: YAML tags are not allowed in a catalogue: 'tag:yaml.org,2002:map'"),
    ("version: !!int 1\n", ":1:10: version: YAML tags are not allowed"),
    ("version: ! 1\n", ":1:10: version: YAML tags are not allowed in a catalogue: '!'"),
    (V + "helm: !!python/object:os.system {}\n", ":2:7: helm: YAML tags are not allowed"),
    (V + "<<: {a: b}\n", ":2:1: <<: unknown key: "),
    (V + "images:\n  <<: {a: b}\n", ":3:3: images.<<: invalid name '<<'"),
    (V + "images:\n  [a]: {}\n", ":3:3: images: a key must be a string"),
    (V + "? {a: b}\n: c\n", ":2:3: a key must be a string"),
]

KEYS = [
    ("version: 1\nversion: 1\n", ":2:1: version: the key stands twice, first in line 1"),
    (V + "images: {}\nhelm: {}\nimages: {}\n", ":4:1: images: the key stands twice, first in line 2"),
    (V + "regions:\n  cn: []\n  cn: []\n", ":4:3: regions.cn: the key stands twice, first in line 3"),
    (V + "images:\n  a: {origin: x/y}\n  a: {origin: x/z}\n", ":4:3: images.a: the key stands twice, first in line 3"),
    (ORIGIN + "    origin: x/z\n", ":5:5: images.a.origin: the key stands twice, first in line 4"),
    (ORIGIN + "    mirrors: {m: q.io/x, 'm': q.io/y}\n", ":5:26: images.a.mirrors.m: the key stands twice"),
    (
        IMAGE + "    origin: {reference: x/y, reference: x/z}\n",
        ":4:30: images.a.origin.reference: the key stands twice",
    ),
    (V + "image: {}\n", ":2:1: image: unknown key: did you mean 'images'?"),
    (V + "zzz: {}\n", ":2:1: zzz: unknown key: there are: builtin, git, helm, images, raw, regions, version"),
    (V + "'': {}\n", ":2:1: unknown key: there are: "),
    (ORIGIN + "    mirors: {}\n", ":5:5: images.a.mirors: unknown key: did you mean 'mirrors'?"),
    (HELM + "    origin: https://h/x\n    sync: 6h\n", ":5:5: helm.a.sync: unknown key: did you mean 'synced'?"),
    (GIT + "    origin: https://h/x\n    platforms: []\n", ":5:5: git.a.platforms: unknown key: "),
    (V + "raw:\n  a: {origin: https://h/*, aliases: [b]}\n", ":3:28: raw.a.aliases: unknown key: "),
    (
        IMAGE + "    origin: {reference: x/y, pages: 'https://h/'}\n",
        ":4:30: images.a.origin.pages: unknown key: did you mean 'page'?",
    ),
    (IMAGE + "    origin: {url: x/y}\n", ":4:14: images.a.origin.url: unknown key: "),
    (V + '"a\\e[2J\\n": 1\n', ":2:1: a\\x1b[2J\\n: unknown key: "),
    ("images: {}\n", ":1:1: 'version: 1' is missing"),
]

TYPES = [
    ("version:\n", ":1:9: version: must be a string"),
    ("version: [1]\n", ":1:10: version: must be a string"),
    ("version: {1: 1}\n", ":1:10: version: must be a string"),
    ("version: 2\n", ":1:10: version: version '2' is not known: this program reads 1"),
    ("version: 1.0\n", ":1:10: version: version '1.0' is not known"),
    ("version: 0x1\n", ":1:10: version: version '0x1' is not known"),
    (V + "builtin: yes\n", ":2:10: builtin: 'yes' is not true or false"),
    (V + "builtin:\n", ":2:9: builtin: must be a string"),
    (V + "images: []\n", ":2:9: images: must be a mapping"),
    (V + "helm: x\n", ":2:7: helm: must be a mapping"),
    (
        V + "images:\n  a: []\n",
        ":3:6: images.a: must be a mapping with aliases, default_tag, mirrors, origin, platforms",
    ),
    (V + "git:\n  a: x\n", ":3:6: git.a: must be a mapping with aliases, mirrors, origin, synced"),
    (V + "raw:\n  a: x\n", ":3:6: raw.a: must be a mapping with mirrors, origin"),
    (V + "images:\n  '': {a: [b]}\n", ":3:3: images.: invalid name ''"),
    (IMAGE + "    origin: [x/y]\n", ":4:13: images.a.origin: must be a mapping with host_kind, page, reference"),
    (IMAGE + "    origin:\n", ":4:12: images.a.origin: must be a string"),
    (IMAGE + "    origin: {}\n", ":4:13: images.a.origin: 'reference' is missing"),
    (GIT + "    origin: {page: https://h/}\n", ":4:13: git.a.origin: 'url' is missing"),
    (IMAGE + "    origin: {reference: x/y, page: []}\n", ":4:36: images.a.origin.page: must be a string"),
    (ORIGIN + "    mirrors: []\n", ":5:14: images.a.mirrors: must be a mapping"),
    (
        ORIGIN + "    mirrors: {m: [x]}\n",
        ":5:18: images.a.mirrors.m: must be a mapping with host_kind, page, reference",
    ),
    (ORIGIN + "    aliases: b\n", ":5:14: images.a.aliases: must be a list"),
    (ORIGIN + "    aliases: {b: c}\n", ":5:14: images.a.aliases: must be a list"),
    (ORIGIN + "    aliases: [b, [c]]\n", ":5:18: images.a.aliases[1]: must be a string"),
    (ORIGIN + "    aliases: [b, ~]\n", ":5:18: images.a.aliases[1]: must be a string"),
    (ORIGIN + "    platforms: linux/amd64\n", ":5:16: images.a.platforms: must be a list"),
    (ORIGIN + "    default_tag: [main]\n", ":5:18: images.a.default_tag: must be a string"),
    (ORIGIN + "    default_tag: null\n", ":5:18: images.a.default_tag: must be a string"),
    (GIT + "    origin: https://h/x\n    synced: {}\n", ":5:13: git.a.synced: must be a string"),
    (V + "regions: []\n", ":2:10: regions: must be a mapping"),
    (V + "regions: {cn: coding}\n", ":2:15: regions.cn: must be a list"),
    (V + "regions:\n  cn: [[coding]]\n", ":3:8: regions.cn[0]: must be a string"),
]

VALUES = [
    (IMAGE + "    origin: x/Y\n", ":4:13: images.a.origin: invalid repository path 'x/Y'"),
    (IMAGE + "    origin: https://x/y\n", ":4:13: images.a.origin: invalid reference 'https://'"),
    (IMAGE + "    origin: x/y:main\n", ":4:13: images.a.origin: invalid repository path 'x/y:main'"),
    (IMAGE + "    origin: ''\n", ":4:13: images.a.origin: invalid repository path ''"),
    (IMAGE + "    origin: user:sesame@h/x\n", ":4:13: images.a.origin: invalid repository '…@h/x': leave out"),
    (IMAGE + "    origin: x/y@sha256:0\n", ":4:13: images.a.origin: invalid repository '…@sha256:0': leave out"),
    (IMAGE + "    origin: docker.io/x*\n", ":4:13: images.a.origin: invalid repository path "),
    (IMAGE + "    origin: docker.io/*/*\n", ":4:13: images.a.origin: invalid repository path "),
    (IMAGE + "    origin: /*\n", ":4:13: images.a.origin: invalid "),
    (ORIGIN + "    default_tag: -x\n", ":5:18: images.a.default_tag: invalid tag '-x': "),
    (ORIGIN + "    platforms: [linux/amd64, linux]\n", ":5:30: images.a.platforms[1]: invalid platform 'linux': "),
    (
        ORIGIN + "    platforms: [linux/arm64, linux/aarch64]\n",
        ":5:30: images.a.platforms[1]: 'linux/arm64' stands twice",
    ),
    (GIT + "    origin: github.com/x/y\n", ":4:13: git.a.origin: invalid URL 'github.com/x/y': "),
    (GIT + "    origin: ftp://h/x\n", ":4:13: git.a.origin: invalid URL 'ftp://h/x': "),
    (GIT + "    origin: ssh://h/x\n", ":4:13: git.a.origin: invalid URL 'ssh://h/x': a catalogue holds http and https"),
    (GIT + "    origin: git@h:x/y.git\n", ":4:13: git.a.origin: invalid URL 'ssh://h/x/y.git': a catalogue holds http"),
    (GIT + "    origin: https://h/*/x\n", ":4:13: git.a.origin: invalid place 'https://h/*/x': '*' can only be"),
    (GIT + '    origin: "https://h/\\ex"\n', ":4:13: git.a.origin: invalid URL 'https://h/\\x1bx': "),
    (GIT + "    origin: https://h/x#y\n", ":4:13: git.a.origin: invalid URL 'https://h/x': a fragment "),
    (GIT + "    origin: https://h/#/*\n", ":4:13: git.a.origin: 'https://h/#/*' has a fragment"),
    (HELM + "    origin: https://h/../y\n", ":4:13: helm.a.origin: invalid URL 'https://h/../y': '.' and '..' are not"),
    (
        HELM + "    origin: https://h/%zz\n",
        ":4:13: helm.a.origin: invalid URL 'https://h/%zz': broken percent-encoding",
    ),
    (
        HELM + "    origin: https://user:sesame@h/x\n",
        ":4:13: helm.a.origin: invalid URL 'https://h/x': it must not hold a",
    ),
    (HELM + "    origin: https://user:se/same@h/x\n", ":4:13: helm.a.origin: invalid URL 'https://…@h/x': "),
    (V + "raw:\n  a: {origin: https://me:sesame@h/x}\n", ":3:15: raw.a.origin: 'https://h/x' must end in '/*'"),
    (IMAGE + "    origin: {reference: x/y, page: 'javascript:x'}\n", ":4:36: images.a.origin.page: invalid URL 'javas"),
    (
        IMAGE + "    origin: {reference: x/y, page: 'ssh://h/x'}\n",
        ":4:36: images.a.origin.page: invalid URL 'ssh://h/x'",
    ),
    (HELM + "    origin: https://h/x\n    synced: 6 hours\n", ":5:13: helm.a.synced: invalid interval '6 hours': "),
    (HELM + "    origin: https://h/x\n    synced: 0h\n", ":5:13: helm.a.synced: invalid interval '0h': "),
    (
        GIT + "    origin: {url: https://h/x, host_kind: gitte}\n",
        ":4:43: git.a.origin.host_kind: unknown host kind 'gitte': did you mean 'gitee'?",
    ),
    (GIT + "    origin: {url: https://h/x, host_kind: _base}\n", ":4:43: git.a.origin.host_kind: unknown host kind "),
    (
        V + "regions:\n  cn: [coding, gitte]\n",
        ":3:7: regions.cn: 'gitte' is no mirror's name and no host kind: did you",
    ),
    (V + "regions:\n  cn: [Coding]\n", ":3:8: regions.cn[0]: invalid mirror name 'Coding': "),
    (V + "regions:\n  cn: [coding, coding]\n", ":3:16: regions.cn[1]: 'coding' stands twice"),
    (V + "regions:\n  C N: [coding]\n", ":3:3: regions.C N: invalid region 'C N': "),
    (V + "images:\n  -a: {origin: x/y}\n", ":3:3: images.-a: invalid name '-a': "),
    (V + "images:\n  'a b': {origin: x/y}\n", ":3:3: images.a b: invalid name 'a b': "),
    (V + f"images:\n  {'a' * 129}: {{origin: x/y}}\n", f":3:3: images.{'a' * 80}…: invalid name 'aaa"),
    (ORIGIN + "    mirrors: {A_b: q.io/x}\n", ":5:15: images.a.mirrors.A_b: invalid mirror name 'A_b': "),
    (ORIGIN + "    aliases: ['b c']\n", ":5:15: images.a.aliases[0]: invalid alias 'b c': "),
    (ORIGIN + "    aliases: [b, b]\n", ":5:18: images.a.aliases[1]: 'b' stands twice"),
    (ORIGIN + "    mirrors: {origin: q.io/x}\n", ":5:23: images.a.mirrors.origin: 'origin' cannot be a mirror's name"),
    (
        ORIGIN + "    mirrors: {generic: q.io/x}\n",
        ":5:24: images.a.mirrors.generic: 'generic' cannot be a mirror's name",
    ),
]

# These are seen only when the layers lie over each other; line and column are somewhere in the entry.
CONTRADICTIONS = [
    (V + "images:\n  a: {}\n", "images.a: 'origin' is missing, and no catalogue below has this entry"),
    (ORIGIN + "    aliases: [a]\n", "images.a.aliases: 'a' is already a name of 'a'"),
    (ORIGIN + "  b: {origin: x/z, aliases: [a]}\n", "images.b.aliases: 'a' is already a name of 'a'"),
    (ORIGIN + "    aliases: [c]\n  b: {origin: x/z, aliases: [c]}\n", "images.b.aliases: 'c' is already a name of 'a'"),
    (ORIGIN + "  b: {origin: docker.io/x/y}\n", "images.b.origin: docker.io/x/y is already there as a, dockerhub"),
    (ORIGIN + "  b: {origin: registry-1.docker.io/x/y}\n", "images.b.origin: docker.io/x/y is already there as a"),
    (ORIGIN + "    mirrors: {m: index.docker.io/x/y}\n", "images.a.origin: docker.io/x/y is already there as a, m"),
    (
        ORIGIN + "    mirrors: {m: q.io/x}\n  b: {origin: x/z, mirrors: {m: q.io/x}}\n",
        "images.b.mirrors.m: q.io/x is already there as a, m",
    ),
    (
        V + "git:\n  a: {origin: https://h/x}\n  b: {origin: 'http://H/x.git/'}\n",
        "git.b.origin: http://h/x.git is already there as a, origin",
    ),
    (
        V + "raw:\n  a: {origin: https://h/*}\n  b: {origin: 'https://H:443/*'}\n",
        "raw.b.origin: https://h/* is already there as a, origin",
    ),
    (
        IMAGE + "    origin: ghcr.io/x/y\n    mirrors: {ghcr: q.io/x}\n",
        "images.a.mirrors.ghcr: 'ghcr' is what the origin'",
    ),
    (IMAGE + "    origin: docker.io/*\n    mirrors: {m: q.io/x}\n", "images.a.mirrors.m: origin and mirrors must both"),
    (ORIGIN + "    mirrors: {m: q.io/*}\n", "images.a.mirrors.m: origin and mirrors must both end in '/*', or neither"),
]


def problems_of(text: str | bytes, name: str = "m.yaml") -> tuple[str, ...]:
    data = text.encode() if isinstance(text, str) else text
    with pytest.raises(InvalidCatalogue) as caught:
        parse([BASE, (name, data)])
    return caught.value.problems


@pytest.mark.parametrize(("text", "start"), [*NOT_ONE, *MARKS, *KEYS, *TYPES, *VALUES])
def test_a_message_says_where_and_what(text: str, start: str) -> None:
    """A message begins with file, line, column and path, says what is wrong, and holds no control character."""
    problems = problems_of(text)
    assert problems[0].startswith(f"m.yaml{start}")
    assert all(line.isprintable() for line in problems)
    assert "same" not in str(problems).lower(), "a password is shown"


@pytest.mark.parametrize(("text", "start"), CONTRADICTIONS)
def test_a_contradiction_is_found(text: str, start: str) -> None:
    """What makes no sense between entries names its file and path too."""
    (problem,) = problems_of(text)
    file, line, column, message = problem.split(":", 3)
    assert (file, line.isdigit(), column.isdigit()) == ("m.yaml", True, True)
    assert message.startswith(f" {start}")


def test_all_problems_are_found_at_once() -> None:
    """One run reports every problem of every file, in their order."""
    with pytest.raises(InvalidCatalogue) as caught:
        parse(
            [BASE, ("a.yaml", b"version: 2\nimage: {}\n"), ("b.yaml", (IMAGE + "    origin: X\n    x: 1\n").encode())]
        )
    places = [problem.split(": ")[0] for problem in caught.value.problems]
    assert sorted(places) == ["a.yaml:1:10", "a.yaml:2:1", "b.yaml:4:13", "b.yaml:5:5"]
    assert str(caught.value).startswith("a.yaml:2:1: image: ")


@pytest.mark.parametrize(
    ("data", "start"),
    [
        (b"version: 1\n\xff", "m.yaml:2:1: not UTF-8: byte 0xff"),
        ("version: 1\n# öü ".encode() + b"\xe4", "m.yaml:2:6: not UTF-8: byte 0xe4"),
        ("# \U0001f600".encode() + b"\x80", "m.yaml:1:4: not UTF-8: byte 0x80"),
        (b"# \xed\xa0\x80", "m.yaml:1:3: not UTF-8: byte 0xed"),  # a surrogate
        (b"# \xc0\xaf", "m.yaml:1:3: not UTF-8: byte 0xc0"),  # an overlong slash
        (b"# \xe2\x82", "m.yaml:1:3: not UTF-8: byte 0xe2"),  # cut off
        (b"\xef\xbb\xbf# \xff", "m.yaml:1:3: not UTF-8: byte 0xff"),
        ("version: 1".encode("utf-16"), "m.yaml:1:1: not UTF-8: byte 0xff"),
        ("version: 1".encode("utf-16-le"), "m.yaml:1:2: not YAML: control characters"),
        ("version: 1".encode("utf-32"), "m.yaml:1:1: not UTF-8: byte 0xff"),
        ("vérsion: 1".encode("latin-1"), "m.yaml:1:2: not UTF-8: byte 0xe9"),
    ],
)
def test_what_is_not_utf_8(data: bytes, start: str) -> None:
    """Bytes that are not UTF-8 are named with their place, whose column counts characters."""
    assert problems_of(data)[0].startswith(start)


def test_a_byte_order_mark_is_fine() -> None:
    """Windows editors begin UTF-8 with a mark."""
    data = b"\xef\xbb\xbfversion: 1\r\nimages:\r\n  a:\r\n    origin: x/y\r\n"
    assert parse([BASE, ("m.yaml", data)]).names("image") == ["a"]


@pytest.mark.parametrize(("text", "start"), [*NOT_ONE, *MARKS, *KEYS[:6]])
def test_without_libyaml(text: str, start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML's own parser refuses the same; only its words and some of its columns are different."""
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    problems = problems_of(text)
    if "not YAML" in start:
        assert problems[0].startswith("m.yaml:")
    else:
        assert problems[0].startswith(f"m.yaml{start}")


@pytest.mark.parametrize(
    "text",
    [
        'version: "\\UFFFFFFFF"\n',
        GIT + '    origin: "https://h/\\ud800"\n',
        GIT + '    origin: "https://h/\\udc80"\n',
        V + '"\\ud800": 1\n',
        f"%YAML {'1' * 5000}.1\n---\nversion: 1\n",
        f"version: |{'9' * 5000}\n",
    ],
    ids=["escape", "surrogate", "low-surrogate", "surrogate-key", "directive", "indentation"],
)
def test_numbers_that_pyyaml_does_not_check(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML's own parser lets through what libyaml refuses, the catalogue is refused all the same."""
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert problems_of(text)[0].startswith("m.yaml:")


# Files


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a folder").mkdir()
    (tmp_path / "file").write_text(V)
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.yaml", "no such file or directory"),
        ("a folder", "is a directory"),
        ("file/below", "not a directory"),
        ("loop", "too many levels of symbolic links"),
        ("dangling", "no such file or directory"),
        ("x" * 300, "file name too long"),
    ],
)
def test_a_file_that_cannot_be_read(folder: Path, cli: CLI, name: str, message: str) -> None:
    """A catalogue that cannot be read is exit code 5, with the file's name and the system's reason."""
    assert folder == Path.cwd()
    ran = cli("list", "-c", name)
    assert (ran.code, ran.out) == (5, "")
    assert ran.err == f"crane-mirrors: {name}: {message}\n"


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path, cli: CLI) -> None:
    """A catalogue without permission to read is exit code 5."""
    file = tmp_path / "m.yaml"
    file.touch(mode=0)
    assert stat.S_IMODE(file.stat().st_mode) == 0
    ran = cli("list", "-c", "m.yaml")
    assert (ran.code, ran.err) == (5, "crane-mirrors: m.yaml: permission denied\n")


@pytest.mark.parametrize(
    "name",
    ["a\nb.yaml", "\x1b[2J\x07.yaml", "a\tb\x1e\x1f.yaml", "\u202e.yaml", "%0a.yaml", "a: b.yaml", b"\xff\xfe.yaml"],
)
def test_the_name_of_a_file_is_harmless(tmp_path: Path, cli: CLI, name: str | bytes) -> None:
    """A file's name can hold anything: a message with it is one printable line, and a good file works."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/" + os.fsencode(name))
    ran = cli("list", "-c", path)
    assert ran.code == 5
    assert ran.err.count("\n") == 1
    assert ran.err[:-1].isprintable()
    Path(path).write_text(V + "images: {a: {origin: X}}\n")
    with pytest.raises(InvalidCatalogue) as caught:
        load((path,))
    assert str(caught.value).isprintable()
    Path(path).write_text(V + "images: {a: {origin: x/y, mirrors: {m: q.io/x}}}\n")
    for _ in range(2):  # the second time out of the cache
        ran = cli("image", "a:1", "-c", path, "-p", "reference", "-m", "m")
        assert (ran.code, ran.out) == (0, "q.io/x:1\n")
    entry = load((path,)).entry("image", "a")
    assert entry.origin.source == path


# Files that were made to do harm


def bomb() -> bytes:
    lines = ["version: 1", "a: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"b{n}: &a{n} [{', '.join(['*a' + str(n - 1)] * 9)}]" for n in range(1, 200_000)]
    return "\n".join(lines).encode()


def problems_by_the_hundred_thousand() -> bytes:
    lines = [f"  a{n}: {{origin: 'X', foo: 1}}" for n in range(50_000)]
    return "\n".join(["version: 1", "images:", *lines]).encode()


HARM = {
    "alias-bomb": lambda: bomb(),
    "nested-flow": lambda: b"version: 1\nimages: " + b"[" * 10_000 + b"]" * 10_000,
    "nested-flow-mappings": lambda: b"version: 1\nimages: " + b"{a: " * 10_000 + b"}" * 10_000,
    "nested-block": lambda: b"version: 1\nimages:\n" + b"".join(b" " * n + b"a:\n" for n in range(1, 10_000)),
    "nested-block-lists": lambda: b"version: 1\nimages:\n" + b"- " * 10_000,
    "nested-keys": lambda: b"? " * 10_000,
    "unclosed": lambda: b"[" * 10_000_000,
    "scalar": lambda: b"version: " + b"a" * 10_000_000,
    "quoted-scalar": lambda: b'version: "' + b"\\n" * 5_000_000 + b'"',
    "block-scalar": lambda: b"version: |\n" + b" a\n" * 3_000_000,
    "key": lambda: b"version: 1\n? " + b"a" * 10_000_000 + b"\n: {a: 1, b: 2, c: 3}\n",
    "key-with-items": lambda: b"version: 1\nimages:\n  ? " + b"a" * 10_000_000 + b"\n  : [" + b"a," * 1_000 + b"]\n",
    "comment": lambda: b"#" * 10_000_000,
    "spaces": lambda: b" " * 10_000_000,
    "lines": lambda: b"\n" * 10_000_000 + b"\xff",
    "values": lambda: b"version: 1\nimages: {a: {aliases: [" + b"a," * 5_000_000 + b"]}}",
    "problems": problems_by_the_hundred_thousand,
    "duplicate-keys": lambda: b"version: 1\n" + b"a: 1\n" * 100_000,
    "too-large": lambda: b"version: 1\n#" + b" " * (64 * 2**20),
}


@pytest.mark.parametrize("make", HARM.values(), ids=HARM)
def test_time_and_memory_are_bounded(tmp_path: Path, make: object) -> None:
    """Whatever a file holds, the program says one short line and ends with 5, within 10 s of work and 1 GiB."""
    assert callable(make)
    file = tmp_path / "m.yaml"
    file.write_bytes(make())

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
        # Seconds of work, not of waiting: twice what the slowest takes on a slow machine, against endless loops.
        resource.setrlimit(resource.RLIMIT_CPU, (20, 20))

    process = subprocess.run(
        [sys.executable, "-m", "crane_mirrors", "list", "-c", "m.yaml"],
        cwd=tmp_path,
        # Measuring coverage is work, too, as much again.
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src"), "HOME": str(tmp_path), "COVERAGE_PROCESS_CONFIG": ""},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 5, process.stderr[-1000:]
    assert process.stdout == ""
    assert process.stderr.startswith("crane-mirrors: m.yaml:")
    assert process.stderr.count("\n") == 1
    assert process.stderr[:-1].isprintable()
    assert len(process.stderr) < 1000


def test_the_thousandth_problem_is_the_last_to_be_told() -> None:
    """Messages after the thousandth are counted, and the count is a line with the file's name too."""
    problems = problems_of("version: 1\n" + "".join(f"x{number}: 1\n" for number in range(1500)))
    assert len(problems) == 1001
    assert problems[-1] == "m.yaml: and 500 more problems"


# Anything at all

words = st.sampled_from(
    [
        *("version", "1", "builtin", "regions", "images", "helm", "git", "raw", "origin", "mirrors", "aliases"),
        *("default_tag", "platforms", "synced", "reference", "url", "page", "host_kind", "cn", "coding", "a", "b"),
        *("x/y", "docker.io/*", "ghcr.io:5000/x", "https://h/x", "https://h/*", "6h", "linux/amd64", "true", "false"),
    ]
)
texts = words | st.text(max_size=8) | st.sampled_from(["", "~", "null", "\x1b", "\n", "\ud800", "'", '"', "&a", "*a"])
scalars = texts | st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=3)
structures = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words | st.text(max_size=3), inner, max_size=4),
    max_leaves=20,
)
lines = st.builds(
    lambda indent, text, tail: b" " * indent + text + tail,
    st.integers(0, 6),
    words.map(str.encode) | st.binary(max_size=4) | st.sampled_from([b"- ", b"? ", b"{", b"[", b"|", b"&a ", b"!!x "]),
    st.sampled_from([b"", b": ", b":", b"}", b"]", b"\t", b": [", b": {"]),
)


def check_layers(*layers: bytes) -> None:
    sources = [(f"m{number}.yaml", data) for number, data in enumerate(layers)]
    try:
        catalogue = parse([BASE, *sources])
    except InvalidCatalogue as error:
        problems = (str(error), *error.problems)
    else:
        problems = ()
        for entry in catalogue.entries():
            assert catalogue.get(entry.kind, entry.name) == entry
    for problem in problems:
        assert problem.isprintable()
        assert re.match(r"m[0-9]\.yaml:([0-9]+:[0-9]+:)? ", problem)


@given(st.binary(max_size=60) | st.lists(lines, max_size=12).map(b"\n".join))
@examples(1000)
@example(b"version: 1\nimages: {'': {a: [b]}}")
@example(b"version: 1\nimages: {? '' : }")
def test_any_bytes_load_or_are_refused(data: bytes) -> None:
    """Of any bytes comes a catalogue or InvalidCatalogue, whose messages all begin with the file's name."""
    check_layers(data)


@given(structures)
@examples(500)
def test_any_structure_loads_or_is_refused(structure: object) -> None:
    """So does of any structure that YAML can write, in block and in flow style."""
    for flow in (True, False):
        text = yaml.safe_dump({"version": 1, "images": structure} if flow else structure, default_flow_style=flow)
        check_layers(text.encode("utf-8", "surrogatepass"))


entries = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.none()
    | st.fixed_dictionaries(
        {},
        optional={
            "origin": st.sampled_from(["x/y", "docker.io/*", "ghcr.io/x", "https://h/x", "https://h/*"]),
            "mirrors": st.dictionaries(
                st.sampled_from(["m", "ghcr", "origin"]),
                st.none() | st.sampled_from(["q.io/x", "q.io/*", "https://q/x"]),
            ),
            "aliases": st.lists(st.sampled_from(["a", "b", "d"]), max_size=2),
        },
    ),
    max_size=3,
)


@given(
    st.lists(
        st.fixed_dictionaries({}, optional={"images": entries, "git": entries, "builtin": st.booleans()}), max_size=3
    )
)
@examples(400)
def test_any_layers_load_or_are_refused(layers: list[dict[str, object]]) -> None:
    """Layers over each other give a catalogue or InvalidCatalogue too."""
    check_layers(*(yaml.safe_dump({"version": 1, **layer}).encode() for layer in layers))
