"""The tags that GoCrane's CI makes, out of a branch, a commit and a pull request."""

from __future__ import annotations

import re
import runpy

import pytest
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors import tags
from crane_mirrors.errors import InvalidInput
from crane_mirrors.reference import check_tag
from crane_mirrors.tags import ci_tag

FULL = "abc1234" + "0" * 33

BRANCHES = [
    ("main", "main"),
    ("Main", "main"),
    ("feature/X", "x"),
    ("a/b/release-0.11", "release-0.11"),
    ("refs/heads/main", "main"),
    ("refs/heads/feature/X", "x"),
    ("my_Branch.1", "my_branch.1"),
    ("_x", "_x"),
    ("b" * 128, "b" * 128),
]

COMMITS = [
    ("abc1", "abc1"),
    ("abc1234", "abc1234"),
    ("ABC1234", "abc1234"),
    ("12345678", "12345678"),
    (FULL[:39], FULL[:39]),
    (FULL, "abc1234"),
    (FULL.upper(), "abc1234"),
    ("v0.11.0", "v0.11.0"),
    ("v1.2", "v1.2"),
    ("v0.11.0-rc.1", "v0.11.0-rc.1"),
    ("v0.11.0-RC1", "v0.11.0-RC1"),
    ("v0.11.0-3-gabc1234", "v0.11.0-3-gabc1234"),
    ("v0.11.0-3-gABC1234", "v0.11.0-3-gabc1234"),
    ("v0.11.0-alpha.1-12-gabc1234", "v0.11.0-alpha.1-12-gabc1234"),
    (f"v0.11.0-3-g{FULL}", "v0.11.0-3-gabc1234"),
]

NO_COMMITS = [
    "",
    "abc",
    "abc123g",
    FULL + "0",
    "HEAD",
    "main",
    "gabc1234",
    "0.11.0",
    "v",
    "v1",
    "V0.11.0",
    "v0.11.",
    "v0.11.0-",
    "v0.11.0-3",
    "v0.11.0-3-abc1234",
    "v0.11.0-3-gabc",
    "v0.11.0-3-gxyz1",
    "v0.11.0-0-gabc1234",
    f"v0.11.0-3-g{FULL}0",
    "v0.11.0+build",
    "v0.11.0-dirty!",
    "abc1234\n",
    " abc1234",
    "\u0661\u0662\u0663\u0664",
    "v1." + "1" * 98,
]

NO_BRANCHES = [
    "",
    "/",
    "main/",
    "refs/heads/",
    "feature/-x",
    "feature/.x",
    "a b",
    "fix/#12",
    "fix/a+b",
    "main\n",
    "\u212aube",  # the Kelvin sign, whose lower case is k
    "\u4e3b",
    "x" * 129,
]

# (what is given, what the message asks for)
CONTRADICTIONS: list[tuple[str | None, str | None, int | None, str]] = [
    (None, None, None, "give a branch, or a pull request and its commit"),
    (None, "abc1234", None, "give its branch or its pull request too"),
    (None, None, 12, "pull request 12 alone makes no tag: give a commit"),
    ("main", None, 12, "give one of them, not both"),
    ("main", "abc1234", 12, "give one of them, not both"),
    (None, "abc1234", 0, "from 1 to"),
    (None, "abc1234", -1, "from 1 to"),
    (None, None, 0, "from 1 to"),
    (None, "abc1234", 2**31, "from 1 to"),
    ("refs/tags/v0.11.0", None, None, "give a branch's name or refs/heads/NAME"),
    ("refs/pull/12/merge", "abc1234", None, "for a pull request give its number"),
    ("x" * 121, "abc1234", None, "makes no valid tag: 129 characters, at most 128"),
]


@pytest.mark.parametrize(("branch", "tag"), BRANCHES)
def test_a_branch_gives_its_last_segment_in_lower_case(branch: str, tag: str) -> None:
    """A branch alone is the tag that moves with every push."""
    assert ci_tag(branch=branch) == tag


@pytest.mark.parametrize(("commit", "described"), COMMITS)
def test_a_commit_is_written_as_git_describes_it(commit: str, described: str) -> None:
    """After the branch, or after the number of the pull request."""
    assert ci_tag(branch="feature/X", commit=commit) == f"x-{described}"
    assert ci_tag(pr=12, commit=commit) == f"pr-12-{described}"
    assert check_tag(ci_tag(pr=2**31 - 1, commit=commit)).startswith("pr-2147483647-")


@pytest.mark.parametrize("commit", NO_COMMITS)
def test_what_git_describe_does_not_print_is_no_commit(commit: str) -> None:
    """The message shows the forms that are taken, and is the same with a branch and a pull request."""
    says = "hexadecimal digits, or what 'git describe' prints (v0.11.0, v0.11.0-3-gabc1234)"
    with pytest.raises(InvalidInput, match=re.escape(says)):
        ci_tag(branch="main", commit=commit)
    with pytest.raises(InvalidInput, match=re.escape(says)):
        ci_tag(pr=1, commit=commit)


@pytest.mark.parametrize("branch", NO_BRANCHES)
def test_a_branch_that_makes_no_tag_is_named(branch: str) -> None:
    """A branch can be valid in Git and still not make a tag."""
    shown = repr(branch if len(branch) < 100 else branch[:97] + "…")
    with pytest.raises(InvalidInput, match=re.escape(f"branch {shown} makes no valid tag: ")):
        ci_tag(branch=branch)


@pytest.mark.parametrize(("branch", "commit", "pr", "says"), CONTRADICTIONS)
def test_too_little_or_too_much(branch: str | None, commit: str | None, pr: int | None, says: str) -> None:
    """The message says what to give; a number out of range and a ref of another kind are refused too."""
    with pytest.raises(InvalidInput, match=re.escape(says)):
        ci_tag(branch=branch, commit=commit, pr=pr)


def test_a_number_too_long_to_print_is_refused() -> None:
    """Python itself refuses to write an integer of more than 4300 digits."""
    with pytest.raises(InvalidInput, match="from 1 to 2147483647"):
        ci_tag(pr=10**5000, commit="abc1234")


def test_the_longest_tag_is_made() -> None:
    """One character less than what is refused above."""
    assert len(ci_tag(branch="x" * 120, commit="abc1234")) == 128


def test_importing_the_module_compiles_no_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start-up pays for an expression only if it uses it."""
    with monkeypatch.context() as patch:
        patch.setattr(re, "compile", lambda *_: pytest.fail("compiled at import"))
        runpy.run_path(str(tags.__file__))


BRANCH_TEXTS = st.text() | st.text("aZ0_.-/", max_size=130)
COMMIT_TEXTS = st.one_of(
    st.text(),
    st.text("abF09", min_size=3, max_size=42),
    st.from_regex(r"v\d(\.\d+)+(-\d+-g[a-f]{4,41})?"),
)


@examples(2000)
@given(st.none() | BRANCH_TEXTS, st.none() | COMMIT_TEXTS, st.none() | st.integers())
def test_whatever_is_given_makes_a_valid_tag_or_is_refused(
    branch: str | None, commit: str | None, pr: int | None
) -> None:
    """The grammar of tags, which this module does not import, agrees; a refusal is one printable line."""
    tag = refusal = ""
    try:
        tag = ci_tag(branch=branch, commit=commit, pr=pr)
    except InvalidInput as error:
        refusal = str(error)
    assert refusal or check_tag(tag) == tag
    assert refusal.isprintable()
    assert len(refusal) < 1500
