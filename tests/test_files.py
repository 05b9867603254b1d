"""Git refs and the paths of files: what may be one, and messages that are harmless."""

from __future__ import annotations

import subprocess

import pytest
from conftest import examples, need
from hypothesis import example, given
from hypothesis import strategies as st

from crane_mirrors.errors import InvalidPath, InvalidRef
from crane_mirrors.files import FilePath, Ref

REFS = [
    *(
        "main",
        "v0.11.0",
        "feature/x",
        "a/b/c",
        "refs/heads/main",
        "0123abcd",
        "HEAD",
        "1.10",
        "a@b",
        "a-",
        "ü",
        "a%20b",
    ),
    *("x" * 255, "a.b", "a.lockx", "lock", "{", "}", "a'b", "#1", "a{b", "@a", "日本", "\xa0", "a\u202eb", "\udcff"),
]
NO_REFS = [
    *(
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        ".",
        "..",
        "a..b",
        ".a",
        "a/.b",
        "a.",
        "a.lock",
        "a.lock/b",
        "-",
        "-a",
        "--upload-pack=x",
    ),
    *(
        "@",
        "@{",
        "a@{1}",
        "a b",
        " ",
        "a\tb",
        "a\nb",
        "\0",
        "a\x1b[2J",
        "\x7f",
        "a~1",
        "a^",
        "a:b",
        "a?",
        "a*",
        "a[b",
        "a\\b",
    ),
    *("x" * 256, "\ud800", "\udfff"),
]


@pytest.mark.parametrize("text", REFS)
def test_a_ref_is_what_git_accepts(text: str) -> None:
    """Branches, tags and commits are kept as they are, slashes and non-ASCII included."""
    assert str(Ref(text)) == text


@pytest.mark.parametrize("text", NO_REFS)
def test_what_git_refuses_is_no_ref(text: str) -> None:
    """The message is one short printable line."""
    with pytest.raises(InvalidRef) as caught:
        Ref(text)
    assert str(caught.value).startswith("invalid ref '")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", [text for text in [*REFS, *NO_REFS] if text.isprintable() and len(text) < 255])
def test_git_itself_agrees(text: str) -> None:
    """The rules are those of `git check-ref-format --branch`, which also knows @{-1} and HEAD as something else."""
    process = subprocess.run(
        [need("git"), "check-ref-format", f"refs/heads/{text}"], capture_output=True, check=False, text=True
    )
    # A lone @ and what begins with a hyphen are refused on a branch only; both could be taken for something else.
    accepted = process.returncode == 0 and text != "@" and not text.startswith("-")
    assert accepted == (text in REFS)


PATHS = [
    ("a", "a"),
    ("/a/b", "a/b"),
    ("integration/grafana/override_values.yaml", "integration/grafana/override_values.yaml"),
    ("a b#c?d%e", "a b#c?d%e"),
    ("ü/日本", "ü/日本"),
    (".github/x", ".github/x"),
    ("...", "..."),
    ("a..b", "a..b"),
    ("-rf", "-rf"),
    (" ", " "),
    ("a\\b", "a\\b"),
    ("x" * 4096, "x" * 4096),
    ("a\udcff", "a\udcff"),
]
NO_PATHS = [
    ("", "an empty segment"),
    ("/", "an empty segment"),
    ("//a", "an empty segment"),
    ("a/", "an empty segment"),
    ("a//b", "an empty segment"),
    ("..", "the segment '..'"),
    ("/../etc/passwd", "the segment '..'"),
    ("a/../b", "the segment '..'"),
    ("a/..", "the segment '..'"),
    (".", "the segment '.'"),
    ("./a", "the segment '.'"),
    ("a\0b", "control characters"),
    ("a\nb", "control characters"),
    ("a\x1b[2J", "control characters"),
    ("a\x7f", "control characters"),
    ("a\x85", "control characters"),
    ("a\ud800", "control characters"),
    ("x" * 4097, "more than 4096 characters"),
]


@pytest.mark.parametrize(("text", "path"), PATHS)
def test_a_path_is_any_file_in_the_repository(text: str, path: str) -> None:
    """One leading slash is taken away, all else is kept."""
    assert str(FilePath.parse(text)) == path


@pytest.mark.parametrize(("text", "message"), NO_PATHS)
def test_a_path_stays_inside_the_repository(text: str, message: str) -> None:
    """What could lead out of it or hold control characters is refused, in one short printable line."""
    with pytest.raises(InvalidPath) as caught:
        FilePath.parse(text)
    assert str(caught.value).startswith("invalid path '")
    assert message in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


pieces = st.lists(st.sampled_from([".", "..", "/", "a", "\0", "@", "{", ".lock", "~", "ü", "\ud800"])).map("".join)


@given(st.text(st.characters(), max_size=12) | pieces)
@examples(4000)
@example("a/..")
def test_any_text_is_a_value_or_refused(text: str) -> None:
    """Any text makes a ref and a path, or the project's own error; what is made can always be encoded."""
    messages: list[str] = []
    try:
        assert str(Ref(text)).encode("utf-8", "surrogateescape")
    except InvalidRef as error:
        messages.append(str(error))
    try:
        path = FilePath.parse(text)
        assert not {"", ".", ".."} & set(str(path).split("/"))
        assert str(path).encode("utf-8", "surrogateescape")
        assert FilePath.parse(str(path)) == path
    except InvalidPath as error:
        messages.append(str(error))
    assert all(message.isprintable() for message in messages)
