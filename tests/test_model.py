"""Small values: how names are shown and suggested, platforms, and intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.errors import InvalidInput, InvalidPlatform
from crane_mirrors.intervals import Interval
from crane_mirrors.model import nearest, shown
from crane_mirrors.platforms import Platform


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("", "''"),
        ("craned", "'craned'"),
        ("a b", "'a b'"),
        ("ü", "'ü'"),
        ("it's", '"it\'s"'),
        ("a\nb", "'a\\nb'"),
        ("\x1b[2J", "'\\x1b[2J'"),
        ("\u202e", "'\\u202e'"),
        ("\udcff", "'\\udcff'"),
        ("x" * 80, f"'{'x' * 80}'"),
        ("x" * 81, f"'{'x' * 80}…'"),
    ],
)
def test_text_is_shown_on_one_line(text: str, quoted: str) -> None:
    """Control characters are escaped, and long text is cut."""
    assert shown(text) == quoted


@given(st.text(st.characters(), max_size=200))
def test_whatever_is_shown_is_printable_and_short(text: str) -> None:
    """No text, however nasty, does anything to a terminal."""
    assert shown(text).isprintable()
    assert len(shown(text)) <= 80 * 10 + 3


@pytest.mark.parametrize(
    ("name", "known", "message"),
    [
        ("crnaed", ["craned", "dashboard"], "did you mean 'craned'?"),
        ("CRANED", ["craned"], "did you mean 'craned'?"),
        ("zzz", ["a", "b"], "there are: a, b"),
        ("zzz", [], "there are none"),
        ("", ["a"], "there are: a"),
        (
            "zzz",
            [f"n{number}" for number in range(13)],
            "there are: n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, … (13 in",
        ),
        ("x" * 1_000_000, ["craned"], "there are: craned"),
    ],
)
def test_the_nearest_name_is_suggested(name: str, known: list[str], message: str) -> None:
    """A slip gets the name that was meant, anything else those that there are, or the first twelve of them."""
    assert nearest(name, known).startswith(message)


@pytest.mark.parametrize(
    ("text", "platform"),
    [
        ("linux/amd64", "linux/amd64"),
        ("linux/x86_64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64"),
        ("linux/aarch64/v8", "linux/arm64"),
        ("linux/arm/v7", "linux/arm/v7"),
        ("windows/amd64", "windows/amd64"),
    ],
)
def test_a_platform_is_spelled_as_oci_does(text: str, platform: str) -> None:
    """Other words for a machine become Go's."""
    assert str(Platform.parse(text)) == platform
    assert Platform.parse(platform) == Platform.parse(text)


@pytest.mark.parametrize(
    "text", ["", "linux", "linux/", "/amd64", "linux/amd64/", "linux/arm/7", "Linux/amd64", "linux/a b", "a/b\n"]
)
def test_what_is_no_platform(text: str) -> None:
    """The message gives an example."""
    with pytest.raises(InvalidPlatform, match="use OS/MACHINE"):
        Platform.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds", "canonical"),
    [
        ("1s", 1, "1s"),
        ("60s", 60, "1m"),
        ("90m", 5400, "90m"),
        ("6h", 21600, "6h"),
        ("24h", 86400, "1d"),
        ("1d", 86400, "1d"),
        ("999999d", 86_399_913_600, "999999d"),
    ],
)
def test_an_interval_is_written_in_its_largest_unit(text: str, seconds: int, canonical: str) -> None:
    """Intervals that are equal are written alike."""
    assert Interval.parse(text).seconds == seconds
    assert str(Interval.parse(text)) == canonical
    assert Interval.parse(canonical) == Interval.parse(text)


@pytest.mark.parametrize(
    "text", ["", "6", "h", "0h", "06h", "-6h", "6 h", "6H", "6h\n", "1.5h", "6w", "٦h", "1000000d"]
)
def test_what_is_no_interval(text: str) -> None:
    """The message gives an example."""
    with pytest.raises(InvalidInput, match="as in 6h"):
        Interval.parse(text)
