"""What servers write, read by parsers of our own: tables, models by well-kept libraries, and whatever comes to mind."""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
import yaml
from conftest import PROJECT, examples
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.live import charts, pktline
from crane_mirrors.live.addresses import check_realm, is_private, next_url, same_server
from crane_mirrors.live.body import _Gzip, read_body
from crane_mirrors.live.causes import Failed
from crane_mirrors.live.challenge import MAX_LENGTH, parse_challenges
from crane_mirrors.live.charts import Chart, parse_index
from crane_mirrors.live.pktline import packet, packets, refs_of
from crane_mirrors.live.tokens import _read_token


def failure(call: Callable[[], object]) -> str | None:
    """Give the cause of what fails, None where nothing does."""
    try:
        call()
    except Failed as error:
        assert error.cause.isprintable()  # noqa: PT017
        return error.cause
    return None


# Challenges: RFC 9110, section 11.6.1.


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ("Basic, Bearer", [("basic", {}), ("bearer", {})]),
        ('Basic realm="a b"', [("basic", {"realm": "a b"})]),
        ("BEARER Realm=x", [("bearer", {"realm": "x"})]),
        (r'Bearer realm="a\"b\\c"', [("bearer", {"realm": 'a"b\\c'})]),
        ('Bearer realm="https://a/t",scope="repository:x:pull,push"',
         [("bearer", {"realm": "https://a/t", "scope": "repository:x:pull,push"})]),
        ('Bearer realm = "a" , service = "b"', [("bearer", {"realm": "a", "service": "b"})]),
        ('Bearer realm="a",realm="b"', [("bearer", {"realm": "a"})]),
        ('Bearer realm="a", Basic realm="b"', [("bearer", {"realm": "a"}), ("basic", {"realm": "b"})]),
        ('Basic realm="b", , Bearer realm="a"', [("basic", {"realm": "b"}), ("bearer", {"realm": "a"})]),
        ('Negotiate, Bearer realm="a"', [("negotiate", {}), ("bearer", {"realm": "a"})]),
        ('Bearer realm="unclosed', [("bearer", {})]),
        ('Bearer realm="a\x1b"', [("bearer", {})]),
        ("@@@", []),
        (f'Bearer realm="{"a" * MAX_LENGTH}"', []),
    ],
)  # fmt: skip
def test_challenges(header: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    """Schemes and parameters come out as the RFC writes them; what is broken is left out."""
    assert [tuple(found) for found in parse_challenges(header)] == expected


TOKENS = st.text("abcXYZ019-._~", min_size=1, max_size=8)
VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)


@given(st.lists(st.tuples(TOKENS, st.dictionaries(TOKENS.map(str.lower), VALUES, min_size=1, max_size=4)), max_size=4))
def test_challenges_that_were_written_are_read(wanted: list[tuple[str, dict[str, str]]]) -> None:
    """Any challenges, quoted as the RFC has it, come back."""
    quoted = {value: '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for _, row in wanted
              for value in row.values()}  # fmt: skip
    header = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted[value]}" for name, value in row.items()) for scheme, row in wanted
    )
    assert [tuple(found) for found in parse_challenges(header)] == [(name.lower(), row) for name, row in wanted]


@given(st.text() | st.text('Bearer realm=",\\ \t', max_size=200))
def test_challenges_of_any_text(header: str) -> None:
    """Whatever comes is read, and each scheme and name is a token."""
    for scheme, parameters in parse_challenges(header):
        assert scheme.isprintable()
        assert " " not in scheme
        assert all(name.isprintable() for name in parameters)


def test_a_hostile_challenge_takes_no_time() -> None:
    """The longest header that is read, made to be hard, is read in a moment."""
    script = "from crane_mirrors.live.challenge import parse_challenges\n"
    for piece in ('a="', "a=b,", '\\"', " ", ", ", 'a=" ', "a ", 'a="b\\', "a=b "):
        script += f"parse_challenges('Bearer ' + ({piece!r} * 8000)[:8100])\n"
    subprocess.run(
        [sys.executable, "-P", "-c", script], env={"PYTHONPATH": str(PROJECT / "src")}, timeout=20, check=True
    )


# Git's pkt-lines.


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"0000", [None]),
        (b"000100020000", [None, None, None]),
        (b"0004", [b""]),
        (b"0005a", [b"a"]),
        (b"000Aabcdef0000", [b"abcdef", None]),
        (b"0003", "broken pkt-line"),
        (b"zzzz", "broken pkt-line"),
        (b"+00a", "broken pkt-line"),
        (b" 00a", "broken pkt-line"),
        (b"0_5a", "broken pkt-line"),
        (b"-001", "broken pkt-line"),
        (b"000", "truncated"),
        (b"0006a", "truncated"),
        (b"fff0", "truncated"),
        (b"0005a0", "truncated"),
    ],
)
def test_packets(data: bytes, expected: object) -> None:
    """Lengths are four hexadecimal digits and nothing else; what is cut short is said to be."""
    if isinstance(expected, str):
        assert failure(lambda: list(packets(data))) == expected
    else:
        assert list(packets(data)) == expected


@given(st.lists(st.none() | st.text(max_size=40)))
def test_packets_that_were_written_are_read(lines: list[str | None]) -> None:
    """What was written comes back."""
    data = b"".join(b"0000" if line is None else packet(line) for line in lines)
    assert list(packets(data)) == [None if line is None else line.encode() for line in lines]


@given(st.binary(max_size=300) | st.text("0123456789abcdef \n", max_size=300).map(str.encode))
def test_packets_of_any_bytes(data: bytes) -> None:
    """Whatever comes is read, or fails with its cause; refs are never made of anything but object and name."""
    found: dict[str, str] = {}
    failure(lambda: found.update(refs_of(line for line in packets(data) if line is not None)))
    assert all(len(number) in (40, 64) for number in found.values())


A, B = "a" * 40, "b" * 64


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], {}),
        ([f"{A} refs/heads/main\n"], {"refs/heads/main": A}),
        ([f"{A} HEAD\0multi_ack symref=HEAD:refs/heads/main\n"], {"HEAD": A}),
        ([f"{B} refs/tags/v1\n", f"{B} refs/tags/v1^{{}}\n"], {"refs/tags/v1": B}),
        ([f"{A} refs/heads/main symref-target:refs/heads/x peeled:{A}"], {"refs/heads/main": A}),
        ([f"shallow {A}\n"], {}),
        ([f"{A} refs/heads/\udcff"], {"refs/heads/\udcff": A}),
        (["ERR access denied\n"], "the server says 'access denied'"),
        (["ERR \x1b[2J"], r"the server says '\x1b[2J'"),
        ([f"{A}"], "broken pkt-line"),
        ([f"{A[:39]} refs/heads/main"], "broken pkt-line"),
        ([f"{A.upper()} refs/heads/main"], "broken pkt-line"),
        ([""], "broken pkt-line"),
    ],
)
def test_refs(lines: Sequence[str], expected: object) -> None:
    """Names and objects, without capabilities and peeled tags; a server's complaint is shown with nothing harmful."""
    data = [line.encode("utf-8", "surrogateescape") for line in lines]
    if isinstance(expected, str):
        assert failure(lambda: refs_of(data)) == expected
    else:
        assert refs_of(data) == expected


def test_refs_without_end() -> None:
    """A hundred thousand are many, a million are too many."""
    line = A.encode()
    assert len(refs_of(line + b" refs/heads/%d" % number for number in range(100_000))) == 100_000
    assert (
        failure(lambda: refs_of(line + b" refs/heads/%d" % number for number in range(pktline.MAX_REFS + 1)))
        == "too many refs"
    )


# Helm's index.

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
WORDS = st.none() | st.booleans() | st.integers(-5, 10**6) | st.floats(allow_nan=False) | NAMES
TREES = st.recursive(WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
VERSIONS = st.fixed_dictionaries(
    {"version": NAMES},
    optional={
        "digest": NAMES,
        "created": st.sampled_from(["2023-01-02T03:04:05.123456789Z", "2023-01-02T03:04:05+08:00", "yesterday", ""]),
        "urls": st.lists(
            st.sampled_from(["a.tgz", "https://h.example/a.tgz", "https://u:p@H.Example:8/a"]), max_size=3
        ),
        "description": TREES,
        "dependencies": TREES,
    },
)
INDEXES = st.fixed_dictionaries(
    {"entries": st.dictionaries(NAMES, st.lists(VERSIONS, max_size=4), max_size=4)},
    optional={"apiVersion": WORDS, "generated": TREES, "serverInfo": TREES},
)


def model(index: Mapping[str, Any]) -> dict[tuple[str, str], str | None]:
    """What a whole reader makes of an index: the first of each version, and its digest."""
    found: dict[tuple[str, str], str | None] = {}
    for name, versions in index["entries"].items():
        for row in versions:
            found.setdefault((name, row["version"]), (row.get("digest") or "").removeprefix("sha256:").lower() or None)
    return found


def digests(index: Mapping[tuple[str, str], Chart]) -> dict[tuple[str, str], str | None]:
    return {key: chart.digest for key, chart in index.items()}


@given(INDEXES)
def test_index_is_read_as_json_reads_it(index: dict[str, Any]) -> None:
    """Any index in JSON, escaped or not, has the charts, versions and digests that the json module finds in it."""
    for ascii_only in (True, False):
        text = json.dumps(index, ensure_ascii=ascii_only)
        assert digests(parse_index(text.encode())) == model(json.loads(text))


@examples(200)
@given(INDEXES, st.booleans(), st.booleans())
def test_index_is_read_as_yaml_reads_it(index: dict[str, Any], flow: bool, unicode: bool) -> None:
    """Any index in YAML, block or flow, has the charts, versions and digests that PyYAML finds in it."""
    text = yaml.safe_dump(index, default_flow_style=flow, allow_unicode=unicode, sort_keys=False)
    if "*" in text and "&id" in text:  # PyYAML's own aliases, for lists that are the same object
        return
    # A comment makes it YAML, whatever follows.
    assert digests(parse_index(b"# an index\n" + text.encode())) == model(yaml.safe_load(text))


@given(st.binary(max_size=300) | st.text('{}[]:,-"& *!|>#%@ \n\tentriesversion1', max_size=200).map(str.encode))
def test_index_of_any_bytes(body: bytes) -> None:
    """Whatever comes is read, or fails with its cause."""
    for data in (body, b"entries:\n  a:\n  - " + body, b'{"entries": {"a": [' + body + b"]}}"):
        assert failure(partial(parse_index, data)) in CAUSES


CAUSES = (None, "broken json", "broken yaml", "not a helm index", "nested too deeply", "an alias in the index")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("entries: {}", {}),
        ("entries:", {}),
        ("entries: []", {}),
        ("entries: {a: [{version: 1.10}]}", {("a", "1.10"): None}),
        ("entries: {a: [{version: 1.10, version: 2}]}", {("a", "2"): None}),
        ("entries: {a: {version: 1}}", {}),
        ("entries: {a: [1, [], {}, {version: [1]}, {version: {}}, {version: ''}]}", {}),
        ("entries: {a: [{version: 1, digest: SHA256}, {version: 1, digest: b}]}", {("a", "1"): "sha256"}),
        ("entries: {a: [{version: 1, digest: 'sha256:AB'}]}", {("a", "1"): "ab"}),
        ("{entries: {a: [{version: '1'}]}", "broken json"),
        ('{"entries": {"a": [{"version": 1}, {"version": null}, {"version": ["1"]}]}}', {}),
        ('{"entries": {"a": [{"version": "\\u00e9"}, {"version": "é"}, {"version": "\\ud83d\\ude00"}]}}',
         {("a", "é"): None, ("a", "😀"): None}),
        ('{"entries": {"version": [{"version": "1"}]}}', {("version", "1"): None}),
        ('{"entries": 1}', "not a helm index"),
        ("[]", "not a helm index"),
        ("{}", "not a helm index"),
        ("", "not a helm index"),
        ("entries", "not a helm index"),
        ("a: {entries: {}}", "not a helm index"),
        ("entries: {a: *b}", "an alias in the index"),
        ("x: &b 1\nentries: {a: *b}", "an alias in the index"),
        ("entries: !!python/object:os.system {a: []}", {}),
        ("entries: {a: [}", "broken yaml"),
        ("entries: {? {a: 1} : [{version: 1}], b: [{version: 2}]}", {("", "1"): None, ("b", "2"): None}),
        ("a: 1\n---\nentries: {a: [{version: 1}]}", "not a helm index"),
        ("entries: " + "[" * 200, "nested too deeply"),
        (f"entries: {{{'a' * 257}: [{{version: 1}}]}}", "not a helm index"),
        (f"entries: {{a: [{{version: {'1' * 257}}}]}}", "not a helm index"),
        (f"entries: {{a: [{{version: 1, digest: {'a' * 257}}}]}}", "not a helm index"),
        ('{"entries": ' + "[" * 200_000, "broken json"),
    ],
)  # fmt: skip
def test_index(text: str, expected: object) -> None:
    """Strings stay strings, what is no version is left out, and hostile structures fail."""
    if isinstance(expected, str):
        assert failure(lambda: parse_index(text.encode())) == expected
    else:
        assert digests(parse_index(text.encode())) == expected


def test_index_says_when_and_where() -> None:
    """The time is Go's, to the nanosecond and with any offset; the host is the first address's, without a login."""
    text = (
        'entries: {a: [{version: 1, created: "2023-01-02T03:04:05.123456789+08:00", urls: ["https://u:p@H.x:8/a", b]}]}'
    )
    assert parse_index(text.encode()) == {("a", "1"): Chart(None, 1672599845.123456, "h.x:8")}
    hostile = 'entries: {a: [{version: 1, created: "99999-01-01", urls: ["https://[/"]}]}'
    assert parse_index(hostile.encode()) == {("a", "1"): Chart()}


def test_index_ends_when_it_is_late() -> None:
    """Who has no time left stops in the middle."""
    assert failure(lambda: parse_index(b"entries: {a: [" + b"{version: 1}," * 5000 + b"]}", lambda: True)) == "timeout"


_MEASURE = """
import sys
from crane_mirrors.live.charts import parse_index
def peak():
    text = open("/proc/self/status", encoding="ascii", errors="replace").read()
    return int(text.partition("VmHWM:")[2].split()[0])
import json, yaml
body = sys.stdin.buffer.read()
before = peak()
try:
    found = str(len(parse_index(body)))
except Exception as error:
    found = f"{type(error).__name__}: {error}"
print(peak() - before, found)
"""

MILLION = 2**20


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("name", "least", "expected"),
    [
        ("yaml", 20, "45000"),
        ("json", 20, "90000"),
        ("empty lists", 20, "Failed: index too large"),
        ("empty objects", 20, "Failed: index too large"),
        ("nested lists", 20, "Failed: index too large"),
        ("versions", 20, "Failed: index too large"),
        ("versions in yaml", 20, "Failed: index too large"),
        ("one character in four bytes", 20, "0"),
        ("spaces", 20, "Failed: not a helm index"),
        ("one long string", 20, "0"),
    ],
)
def test_a_large_index_stays_small(name: str, least: int, expected: str) -> None:
    """20 MB of an index are read in less than 100 MB more, also when they were made to take as much as they can."""
    from servers.helm import index_text, versions

    count = least * MILLION
    body = {
        "yaml": lambda: index_text({"craned": versions(45_000)}),
        "json": lambda: index_text({"craned": versions(90_000)}, form="json"),
        "empty lists": lambda: b'{"entries":{"a":[' + b"[]," * (count // 3) + b"[]]}}",
        "empty objects": lambda: b'{"entries":{"a":[' + b"{}," * (count // 3) + b"{}]}}",
        "nested lists": lambda: b'{"entries":{"a":[' + b"[[[[[]]]]]," * (count // 11) + b"[]]}}",
        "versions": lambda: b'{"entries":{"a":[' + b'{"version":"12345678"},' * (count // 23) + b"{}]}}",
        "versions in yaml": lambda: b"entries:\n  a:\n" + b"  - version: a\n" * (count // 15),
        "one character in four bytes": lambda: b'{"entries":{},"x":"' + "😀".encode() + b"a" * count + b'"}',
        "spaces": lambda: b" " * count,
        "one long string": lambda: b'entries: {a: "' + b"a" * count + b'"}',
    }[name]()
    assert len(body) > 19 * MILLION
    process = subprocess.run(
        [sys.executable, "-P", "-c", _MEASURE],
        input=body,
        env={"PYTHONPATH": ":".join([str(PROJECT / "src"), *filter(None, sys.path)])},
        capture_output=True,
        timeout=120,
        check=True,
    )
    kilobytes, found = process.stdout.decode().rstrip().split(" ", 1)
    assert found == expected
    assert int(kilobytes) < 100_000


def test_limits_leave_room_for_real_indexes() -> None:
    """The largest index that is known has some ten thousand versions."""
    assert charts.MAX_VERSIONS > 100_000


# Addresses.


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "127.1", "0x7f000001", "0x7f.1", "2130706433", "017700000001", "0", "0.0.0.0", "10.1.2.3",
     "172.16.0.1", "192.168.1.1",
     "169.254.169.254", "100.64.0.1", "::1", "[::1]", "::", "fe80::1", "fd00::1", "::ffff:127.0.0.1",
     "::ffff:10.0.0.1", "localhost", "LOCALHOST", "localhost.", "a.localhost", "printer.local", "x.internal",
     "metadata.google.internal.", "127.0.0.1."],
)  # fmt: skip
def test_private_hosts(host: str) -> None:
    """Every way to write an address of one's own network is seen through."""
    assert is_private(host)


@pytest.mark.parametrize(
    "host", ["ghcr.io", "8.8.8.8", "2606:4700::1111", "local", "internal.example", "10.example", ""]
)
def test_public_hosts(host: str) -> None:
    """What is no such address is none."""
    assert not is_private(host)


@pytest.mark.parametrize(
    ("url", "location", "expected"),
    [
        ("https://a.example/x/y", "/z", "https://a.example/z"),
        ("https://a.example/x", "//b.example/z", "https://b.example/z"),
        ("http://a.example/x", "https://b.example/", "https://b.example/"),
        ("http://127.0.0.1:5000/x", "http://10.0.0.1/", "http://10.0.0.1/"),
        ("https://a.example/x", "http://a.example/x", "redirect to http"),
        ("https://a.example/x", "file:///etc/passwd", "redirect to an invalid address"),
        ("https://a.example/x", "ftp://a.example/x", "redirect to an invalid address"),
        ("https://a.example/x", "javascript:alert(1)", "redirect to an invalid address"),
        ("https://a.example/x", "https://[::1/x", "redirect to an invalid address"),
        ("https://a.example/x", "https://a.example:99999/x", "redirect to an invalid address"),
        ("https://a.example/x", "https://a b/x", "redirect to an invalid address"),
        ("https://a.example/x", "https://\x1b[31m/x", "redirect to an invalid address"),
        ("https://a.example/x", "https://a.example/" + "x" * 9000, "redirect to an invalid address"),
        ("https://a.example/x", "https://169.254.169.254/latest", "redirect to a private address"),
        ("https://a.example/x", "https://127.1/", "redirect to a private address"),
        ("https://a.example/x", "https://localhost./", "redirect to a private address"),
        ("https://a.example/x", "//[::1]/", "redirect to a private address"),
    ],
)
def test_redirects(url: str, location: str, expected: str) -> None:
    """A redirect leads to a web address that is no less safe and no more private than where it came from."""
    if expected.startswith("redirect"):
        assert failure(lambda: next_url(url, location)) == expected
    else:
        assert next_url(url, location) == expected


@pytest.mark.parametrize(
    ("realm", "registry", "expected"),
    [
        ("https://auth.docker.io/token", "https://registry-1.docker.io/v2/", None),
        ("http://127.0.0.1:5001/token", "http://127.0.0.1:5000/v2/", None),
        ("https://10.0.0.1/token", "https://10.0.0.2/v2/", None),
        ("", "https://a.example/", "invalid realm"),
        ("token", "https://a.example/", "invalid realm"),
        ("file:///etc/passwd", "https://a.example/", "invalid realm"),
        ("https://user:pw@a.example/", "https://a.example/", "invalid realm"),
        ("https://a, b,=/#@[", "https://a.example/", "invalid realm"),
        ("https://\x9b31m.example/", "https://a.example/", "invalid realm"),
        ("https://a.example:x/", "https://a.example/", "invalid realm"),
        ("https://" + "a" * 3000, "https://a.example/", "invalid realm"),
        ("http://a.example/token", "https://a.example/", "realm on http"),
        ("https://169.254.169.254/", "https://a.example/", "realm on a private address"),
        ("https://0x7f.1/", "https://a.example/", "realm on a private address"),
        ("https://localhost/", "https://a.example/", "realm on a private address"),
    ],
)
def test_realms(realm: str, registry: str, expected: str | None) -> None:
    """A token server is on https and on no private address, unless the registry itself is not."""
    if expected:
        assert failure(lambda: check_realm(realm, registry)) == f"challenge: {expected}"
    else:
        check_realm(realm, registry)


@given(st.text(), st.text())
def test_addresses_of_any_text(one: str, other: str) -> None:
    """Whatever a server names as an address is taken or refused."""
    failure(lambda: next_url("https://a.example/x", one))
    failure(lambda: check_realm(one, "https://a.example/"))
    is_private(one)
    try:
        assert same_server(one, one)
        same_server(one, other)
    except ValueError:
        pass  # next_url lets no such address through


# Bodies.


def read(parts: Sequence[bytes], encoding: str, limit: int) -> tuple[bytes, bool]:
    async def chunks() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    return asyncio.run(read_body(chunks(), encoding, limit))


@examples(50)
@given(st.binary(max_size=2000), st.integers(1, 300), st.integers(0, 2500), st.sampled_from(["", "gzip", " X-GZIP "]))
def test_bodies(data: bytes, size: int, limit: int, encoding: str) -> None:
    """However a body is packed and cut into chunks, it comes out whole, or as long as was allowed."""
    packed = gzip.compress(data[:1000]) + gzip.compress(data[1000:]) if encoding else data
    parts = [packed[start : start + size] for start in range(0, len(packed), size)]
    assert read(parts, encoding, limit) == (data[:limit], len(data) > limit)


# Without the time of day, which would make the names of these tests differ between the processes that share them.
HELLO = gzip.compress(b"hello", mtime=0)


@pytest.mark.parametrize(
    ("data", "encoding", "expected"),
    [
        (HELLO[:-3], "gzip", "truncated"),
        (HELLO[:5], "gzip", "truncated"),
        (b"hello", "gzip", "broken encoding"),
        (HELLO + b"more", "gzip", "broken encoding"),
        (zlib.compress(b"hello"), "gzip", "broken encoding"),
        (b"hello", "br", "an encoding that nobody asked for"),
        (b"hello", "gzip, gzip", "an encoding that nobody asked for"),
    ],
)
def test_broken_bodies(data: bytes, encoding: str, expected: str) -> None:
    """What cannot be unpacked to its end is no body."""
    assert failure(lambda: read([data], encoding, 100)) == expected


def test_empty_bodies() -> None:
    """HEAD answers are packed by their headers alone."""
    assert read([], "gzip", 100) == (b"", False)
    assert read([b""], "gzip", 100) == (b"", False)


def test_a_bomb_goes_off_in_small_pieces() -> None:
    """What one chunk unpacks to is never in memory as a whole."""
    sizes = [len(piece) for piece in _Gzip().pieces(gzip.compress(b"a" * 2**24))]
    assert sum(sizes) == 2**24
    assert max(sizes) <= 2**18


def test_a_large_packed_body_in_one_chunk() -> None:
    """Pieces are unpacked to the last byte, also where the end of one falls on the end of the chunk."""
    for size in (2**18 - 1, 2**18, 2**18 + 1, 2**20):
        assert read([gzip.compress(b"a" * size)], "gzip", 2**21) == (b"a" * size, False)


# Tokens.


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"token": "abc"}', "abc"),
        (b'{"access_token": "abc"}', "abc"),
        (b'{"token": "", "access_token": "abc"}', "abc"),
        (b'{"token": "a", "access_token": "b"}', "a"),
        (b"{}", None),
        (b"[]", None),
        (b"null", None),
        (b'"abc"', None),
        (b"1e999", None),
        (b'{"token": 1}', None),
        (b'{"token": ["a"]}', None),
        (b'{"token": "a\\r\\nX-Header: 1"}', None),
        (b'{"token": "\\u00e9"}', None),
        (b'{"token": "a\\u0000"}', None),
        (b"[" * 100_000, None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_tokens(body: bytes, expected: str | None) -> None:
    """A token is one that can stand in a header, from either field."""
    if expected:
        assert _read_token(body) == expected
    else:
        assert (failure(lambda: _read_token(body)) or "").startswith("token: ")
