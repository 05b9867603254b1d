"""The reference grammar: one table of what is accepted, one of what is refused, and properties of both."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import runpy
from collections.abc import Callable

import pytest
from conftest import examples
from hypothesis import example, given
from hypothesis import strategies as st

from crane_mirrors import reference
from crane_mirrors.errors import InvalidReference
from crane_mirrors.reference import Reference, Repository, check_digest, check_tag

ID = "1a2b3c4d" * 8
SHA256 = "sha256:" + ID
SHA512 = "sha512:" + ID + ID
SONG = "thisisthesongthatneverends" * 9

# (what is given, in full, familiar); "=" is what is given.
VALID = [
    # Docker Hub
    ("nginx", "docker.io/library/nginx", "="),
    ("nginx:1.27", "docker.io/library/nginx:1.27", "="),
    ("library/nginx", "docker.io/library/nginx", "nginx"),
    ("docker.io/nginx", "docker.io/library/nginx", "nginx"),
    ("docker.io/library/nginx", "=", "nginx"),
    ("gocrane/craned", "docker.io/gocrane/craned", "="),
    ("docker.io/gocrane/craned:main", "=", "gocrane/craned:main"),
    ("index.docker.io/gocrane/craned", "docker.io/gocrane/craned", "gocrane/craned"),
    ("index.docker.io/nginx", "docker.io/library/nginx", "nginx"),
    ("registry-1.docker.io/gocrane/craned", "docker.io/gocrane/craned", "gocrane/craned"),
    ("registry-1.docker.io:443/nginx", "docker.io/library/nginx", "nginx"),
    ("registry.hub.docker.com/nginx:1", "docker.io/library/nginx:1", "nginx:1"),
    ("Docker.IO/gocrane/craned", "docker.io/gocrane/craned", "gocrane/craned"),
    ("docker.io:443/nginx", "docker.io/library/nginx", "nginx"),
    ("docker.io:5000/nginx", "=", "="),
    ("index.docker.io:5000/nginx", "=", "="),
    ("library/a/b", "docker.io/library/a/b", "="),
    ("docker/stevvooe/app", "docker.io/docker/stevvooe/app", "="),
    (SONG, f"docker.io/library/{SONG}", "="),
    # a short form that would mean something else is not familiar
    ("docker.io/localhost/app", "=", "="),
    ("docker.io/a.example/app", "=", "="),
    (f"docker.io/{ID}", f"docker.io/library/{ID}", f"library/{ID}"),
    (f"docker.io/library/{ID}", "=", f"library/{ID}"),
    (f"{ID}:tag", f"docker.io/library/{ID}:tag", f"library/{ID}:tag"),
    (f"{ID[1:]}", f"docker.io/library/{ID[1:]}", "="),
    (f"{ID}0", f"docker.io/library/{ID}0", "="),
    # one component is never a registry, and what follows its colon is a tag
    ("localhost", "docker.io/library/localhost", "="),
    ("localhost:5000", "docker.io/library/localhost:5000", "="),
    ("test.com", "docker.io/library/test.com", "="),
    ("test.com:tag", "docker.io/library/test.com:tag", "="),
    ("192.168.1.1:80", "docker.io/library/192.168.1.1:80", "="),
    ("foo_bar.com:8080", "docker.io/library/foo_bar.com:8080", "="),
    ("foo/foo_bar.com:8080", "docker.io/foo/foo_bar.com:8080", "="),
    ("docker.io", "docker.io/library/docker.io", "="),
    # registries
    ("test.com/repo:tag", "=", "="),
    ("test.com:5000/repo", "=", "="),
    ("test.com:443/repo", "test.com/repo", "="),
    ("test.com:0443/repo", "test.com/repo", "="),
    ("test.com:80/repo", "=", "="),
    ("test.com:080/repo", "test.com:80/repo", "="),
    ("test.com:1/repo", "=", "="),
    ("test.com:65535/repo", "=", "="),
    ("GHCR.io/gocrane/crane/craned:V1", "ghcr.io/gocrane/crane/craned:V1", "="),
    ("localhost/repo", "=", "="),
    ("LOCALHOST/repo", "localhost/repo", "="),
    ("localhost:443/repo", "localhost/repo", "="),
    ("localhost:5000/repo:tag", "=", "="),
    ("127.0.0.1:5000/library/debian", "=", "="),
    ("192.168.0.1/repo", "=", "="),
    ("0101.com/repo", "=", "="),
    ("a-b.c--d.e/repo", "=", "="),
    ("xn--n3h.com/myimage:xn--n3h.com", "=", "="),
    ("b.gcr.io/test.example.com/my-app", "=", "="),
    ("sub-dom1.foo.com/bar/baz/quux:some-long-tag", "=", "="),
    ("test.com/library/nginx", "=", "="),
    # without its port, a host of one word would be read as a name on Docker Hub
    ("test:5000/repo", "=", "="),
    ("test:443/repo", "=", "="),
    ("Test/repo", "test:443/repo", "="),
    # IPv6
    ("[::1]/repo", "=", "="),
    ("[::]/repo", "=", "="),
    ("[2001:DB8::1]/repo:tag", "[2001:db8::1]/repo:tag", "="),
    ("[2001:db8::1]:443/repo", "[2001:db8::1]/repo", "="),
    ("[2001:db8:1:2:3:4:5:6]:5000/repo", "=", "="),
    (f"[2001:db8::]:5000/repo:tag@{SHA256}", "=", "="),
    # paths
    ("test.com/a", "=", "="),
    ("test.com/aa/aa/aa/aa/aa/aa/aa/aa/bb/bb/bb/bb", "=", "="),
    ("test.com/foo_bar/do__cker/do---cker/a.b-c_d", "=", "="),
    ("test.com/0/1", "=", "="),
    ("test.com/project--id.module--name.ver---sion--name", "=", "="),
    ("test.com/xn--7o8h.com/myimage", "=", "="),
    ("test.com/" + "a" * 255, "=", "="),
    ("a/" * 127 + "a:tag-that-does-not-count", "docker.io/" + "a/" * 127 + "a:tag-that-does-not-count", "="),
    # tags and digests
    ("test.com/repo:Upper_.-", "=", "="),
    ("test.com/repo:_", "=", "="),
    ("test.com/repo:" + "t" * 128, "=", "="),
    (f"test.com/repo@{SHA256}", "=", "="),
    (f"test.com/repo@{SHA512}", "=", "="),
    (f"test.com/repo:tag@{SHA256}", "=", "="),
    (f"test.com:5000/repo:tag@{SHA256}", "=", "="),
    (f"nginx@{SHA256}", f"docker.io/library/nginx@{SHA256}", "="),
    (f"gocrane/craned:main@{SHA256}", f"docker.io/gocrane/craned:main@{SHA256}", "="),
    ("test.com/repo@blake3+b64.x-y_z:" + "aF" * 16, "=", "="),
]

# (what is given, what the message says)
INVALID = [
    ("", "invalid repository path '': an empty name"),
    (":tag", "an empty name"),
    (f"@{SHA256}", "an empty name"),
    ("/", "an empty name"),
    ("/repo", "an empty name"),
    ("repo/", "an empty name"),
    ("a//b", "an empty name"),
    ("test.com/", "an empty name"),
    ("test.com/:tag", "an empty name"),
    ("docker///docker", "an empty name"),
    # schemes and white space
    ("https://test.com/repo", "invalid reference 'https://': it begins with a URL's scheme"),
    ("docker://nginx", "invalid reference 'docker://': it begins with a URL's scheme"),
    ("://nginx", "it begins with a URL's scheme"),
    (" nginx", "white space before or after it"),
    ("nginx\n", "white space before or after it"),
    ("nginx:tag\t", "white space before or after it"),
    ("nginx\u3000", "white space before or after it"),
    (f"nginx@{SHA256}\n", "white space before or after it"),
    ("a b", "'a b' is not lower-case letters"),
    # image IDs
    (ID, "64 hexadecimal digits are an image ID"),
    ("0" * 64, "64 hexadecimal digits are an image ID"),
    # upper case
    ("Nginx", "repository names are lower case, such as 'nginx'"),
    ("Uppercase:tag", "repository names are lower case, such as 'uppercase'"),
    ("docker/Docker", "repository names are lower case, such as 'docker'"),
    ("test:5000/Uppercase/lowercase:tag", "repository names are lower case, such as 'uppercase'"),
    ("Foo/FarB", "repository names are lower case, such as 'farb'"),
    ("Foo_Bar/app", "invalid registry 'Foo_Bar': repository names are lower case"),
    ("\u212aube/app", "invalid registry"),  # the Kelvin sign, whose lower case is k
    ("\u212aube.example/app", "invalid registry"),
    ("test.com/\u212aube", "is not lower-case letters"),
    # paths
    ("-docker", "'-docker' is not lower-case letters"),
    ("docker-/app", "'docker-' is not"),
    ("app/-docker", "'-docker' is not"),
    ("_docker/_docker", "'_docker' is not"),
    ("docker_", "'docker_' is not"),
    ("a___b", "'a___b' is not"),
    ("a._b", "'a._b' is not"),
    ("a-_b", "'a-_b' is not"),
    ("test.com/nodouble..dots/app", "'nodouble..dots' is not"),
    ("test.com/.dots/app", "'.dots' is not"),
    ("test.com/..", "'..' is not"),
    ("a^a", "is not lower-case letters"),
    ("aa/asdf$$^/aa", "is not lower-case letters"),
    ("caf\u00e9", "is not lower-case letters"),
    ("a\u0663", "is not lower-case letters"),
    ("a\x00b", r"'a\x00b' is not"),
    ("a/b:c/d", "'b:c' is not"),
    ("test.com/" + "a" * 256, "256 characters, at most 255"),
    ("a/" * 128 + "a:tag", "257 characters, at most 255"),
    ("a" * 248, "256 characters, at most 255"),
    # registries
    ("-ab.com/repo", "invalid registry '-ab.com': HOST[:PORT]"),
    ("ab-.com/repo", "invalid registry"),
    ("ab.com-/repo", "invalid registry"),
    ("ab.-com/repo", "invalid registry"),
    ("ab..com/repo", "invalid registry"),
    ("ab.com./repo", "invalid registry"),
    ("./repo", "invalid registry"),
    ("foo_bar.com/repo", "invalid registry"),
    ("foo_bar:8080/repo", "invalid registry"),
    (":5000/repo", "invalid registry"),
    ("test.com:/repo", "a port is a number from 1 to 65535"),
    ("test.com:http/repo", "a port is a number from 1 to 65535"),
    ("test.com:0/repo", "a port is a number from 1 to 65535"),
    ("test.com:65536/repo", "a port is a number from 1 to 65535"),
    ("test.com:-1/repo", "a port is a number from 1 to 65535"),
    ("test.com:+80/repo", "a port is a number from 1 to 65535"),
    ("test.com:8_0/repo", "a port is a number from 1 to 65535"),
    ("test.com:" + "9" * 5000 + "/repo", "a port is a number from 1 to 65535"),
    ("test.com:80:80/repo", "a port is a number from 1 to 65535"),
    ("test.com:\u0668\u0660/repo", "invalid registry"),
    ("user:secret@test.com/repo", "invalid digest 'test.com/repo'"),
    # IPv6
    ("[2001:db8::1]", "invalid repository path"),
    ("[2001:db8::1]:5000", "invalid repository path"),
    ("[]/repo", "'[]' is not"),
    ("[:]/repo", "invalid registry"),
    ("[:::]/repo", "invalid registry"),
    ("[1::2::3]/repo", "invalid registry"),
    ("[1:2:3:4:5:6:7]/repo", "invalid registry"),
    ("[1:2:3:4:5:6:7:8:9]/repo", "invalid registry"),
    ("[1:2:3:4::5:6:7:8]/repo", "invalid registry"),
    ("[12345::]/repo", "invalid registry"),
    ("[g::1]/repo", "invalid registry"),
    ("[fe80::1%eth0]/repo", "invalid registry"),
    ("[::ffff:192.0.2.1]/repo", "invalid registry"),
    ("[::1/repo", "invalid registry"),
    ("::1]/repo", "invalid registry"),
    ("a::1]/repo", "invalid registry"),
    ("x[::1]/repo", "invalid registry"),
    ("[::1]x/repo", "invalid registry"),
    # tags and digests
    ("repo:", "invalid tag ''"),
    ("repo:a:b", "invalid tag 'a:b'"),
    (f"repo:@{SHA256}", "invalid tag ''"),
    ("repo@", "invalid digest ''"),
    (f"repo@{SHA256}:tag", "'sha256:' takes 64 lower-case hexadecimal digits"),
    (f"repo@{SHA256}@{SHA256}", "'sha256:' takes 64 lower-case hexadecimal digits"),
    (f"{SHA256}@", "invalid digest ''"),
]

TAGS = ["a", "0", "_", "A.b-c_d", "latest", "v1.0.0", "a..b", "a" * 128]
NO_TAGS = ["", ".a", "-a", "a b", "a/b", "a:b", "a@b", "a+b", "a\n", "\u00e9", "\u0663", "a" * 129]

DIGESTS = [
    SHA256,
    SHA512,
    "sha384:" + "0" * 96,
    "md5x:" + "0" * 32,
    "a+b.c_d-e:" + "aF0" * 20,
]
NO_DIGESTS = [
    ("", "not ALGORITHM:HEX"),
    (ID, "not ALGORITHM:HEX"),
    (":" + ID, "not ALGORITHM:HEX"),
    ("SHA256:" + ID, "not ALGORITHM:HEX"),
    ("1md:" + ID, "not ALGORITHM:HEX"),
    ("a+:" + ID, "not ALGORITHM:HEX"),
    ("a..b:" + ID, "not ALGORITHM:HEX"),
    ("md5x:" + "0" * 31, "not ALGORITHM:HEX"),
    ("md5x:" + "g" * 32, "not ALGORITHM:HEX"),
    ("md5x:" + "\u0660" * 32, "not ALGORITHM:HEX"),
    ("md5x:" + "0" * 32 + "\n", "not ALGORITHM:HEX"),
    ("sha256", "'sha256:' takes 64 lower-case hexadecimal digits"),
    ("sha256:" + ID.upper(), "'sha256:' takes 64 lower-case hexadecimal digits"),
    ("sha256:" + ID[1:], "'sha256:' takes 64 lower-case hexadecimal digits"),
    ("sha256:" + ID + "0", "'sha256:' takes 64 lower-case hexadecimal digits"),
    ("sha256:" + ID[:32] + "g" + ID[33:], "'sha256:' takes 64 lower-case hexadecimal digits"),
    ("sha384:" + ID, "'sha384:' takes 96 lower-case hexadecimal digits"),
    ("sha512:" + ID, "'sha512:' takes 128 lower-case hexadecimal digits"),
]

# What Repository(…) refuses although parse would put it right, and what nothing puts right.
NOT_IN_THE_ONE_SPELLING = [
    ("GHCR.io", "a/b", "write 'ghcr.io'"),
    ("ghcr.io:443", "a/b", "write 'ghcr.io'"),
    ("ghcr.io:080", "a/b", "write 'ghcr.io:80'"),
    ("index.docker.io", "a/b", "write 'docker.io'"),
    ("gocrane", "craned", "write 'gocrane:443'"),
    ("docker.io", "nginx", "write 'library/nginx'"),
    ("", "a/b", "invalid registry ''"),
    ("ghcr.io/a", "b", "invalid registry 'ghcr.io/a'"),
    ("ghcr.io\n", "b", "invalid registry"),
    ("ghcr.io", "", "an empty name"),
    ("ghcr.io", "a:b", "'a:b' is not"),
    ("ghcr.io", "a\n", r"'a\n' is not"),
    ("ghcr.io", "a" * 256, "at most 255"),
]


def refusal(function: Callable[[str], object], text: str) -> str:
    """The message of the InvalidReference that the text causes, or nothing."""
    try:
        function(text)
    except InvalidReference as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("text", "full", "familiar"), VALID)
def test_a_valid_reference_has_two_spellings(text: str, full: str, familiar: str) -> None:
    """`str` is fully qualified, `familiar` is what Docker prints, and both mean what was given."""
    full = text if full == "=" else full
    parsed = Reference.parse(text)
    assert str(parsed) == full
    if familiar == "=":
        familiar = text if parsed.repository.registry == "docker.io" else full
    assert parsed.familiar == familiar
    assert Reference.parse(full) == Reference.parse(familiar) == parsed


@pytest.mark.parametrize(("text", "says"), INVALID)
def test_an_invalid_reference_is_refused_with_the_reason(text: str, says: str) -> None:
    """The message names the part that is wrong and what is allowed there."""
    with pytest.raises(InvalidReference, match=re.escape(says)):
        Reference.parse(text)


@pytest.mark.parametrize("suffix", [":tag", f"@{SHA256}", f":tag@{SHA256}"])
def test_a_repository_has_neither_tag_nor_digest(suffix: str) -> None:
    """Repository.parse takes what Reference.parse takes before the tag, and no more."""
    assert str(Repository.parse("test.com/repo")) == "test.com/repo"
    assert Repository.parse("test.com/repo") == Reference.parse("test.com/repo" + suffix).repository
    with pytest.raises(InvalidReference, match="is not lower-case letters"):
        Repository.parse("test.com/repo" + suffix)


@pytest.mark.parametrize("text", [ID, "https://test.com/repo", " nginx", "", "Nginx", "localhost:5000"])
def test_a_repository_is_refused_like_a_reference(text: str) -> None:
    """What is no reference at sight is no repository either."""
    with pytest.raises(InvalidReference):
        Repository.parse(text)


@pytest.mark.parametrize(("registry", "path", "says"), NOT_IN_THE_ONE_SPELLING)
def test_a_repository_cannot_be_built_invalid(registry: str, path: str, says: str) -> None:
    """Two equal repositories are two equal values, because there is one spelling."""
    with pytest.raises(InvalidReference, match=re.escape(says)):
        Repository(registry, path)


@pytest.mark.parametrize(("tag", "digest"), [("", None), ("a b", None), (None, ""), (None, "sha256:0")])
def test_a_reference_cannot_be_built_invalid(tag: str | None, digest: str | None) -> None:
    """The constructor checks tag and digest; an empty one is not the same as none."""
    with pytest.raises(InvalidReference):
        Reference(Repository("test.com", "repo"), tag, digest)


def test_values_are_frozen_hashable_and_have_no_other_attributes() -> None:
    """A value stays what was checked."""
    value = Reference.parse("nginx:1")
    assert {value, Reference.parse("docker.io/library/nginx:1")} == {value}
    for frozen, name in ((value, "tag"), (value.repository, "path")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(frozen, name, "x")
        assert not hasattr(frozen, "__dict__")


def test_another_repository_keeps_tag_and_digest() -> None:
    """`with_repository` changes where an image is, not which one it is."""
    moved = Reference.parse(f"nginx:1@{SHA256}").with_repository(Repository("ghcr.io", "mirror/nginx"))
    assert str(moved) == f"ghcr.io/mirror/nginx:1@{SHA256}"


@pytest.mark.parametrize("text", TAGS)
def test_a_valid_tag_is_returned(text: str) -> None:
    """check_tag gives back what it was given."""
    assert check_tag(text) == text


@pytest.mark.parametrize("text", NO_TAGS)
def test_an_invalid_tag_is_refused_with_what_is_allowed(text: str) -> None:
    """Also one that only a Unicode-aware expression, or one that ends with `$`, would let through."""
    with pytest.raises(InvalidReference, match=r"^invalid tag '.*': letters, digits, '_', '\.', '-', at"):
        check_tag(text)


def test_the_message_about_a_tag_is_one_line_to_the_letter() -> None:
    """The wording that the command line shows."""
    with pytest.raises(InvalidReference) as caught:
        check_tag("a b")
    allowed = "letters, digits, '_', '.', '-', at most 128 characters, not beginning with '.' or '-'"
    assert str(caught.value) == f"invalid tag 'a b': {allowed}"


@pytest.mark.parametrize("text", DIGESTS)
def test_a_valid_digest_is_returned(text: str) -> None:
    """check_digest gives back what it was given, also with an algorithm that nobody has registered."""
    assert check_digest(text) == text


@pytest.mark.parametrize(("text", "says"), NO_DIGESTS)
def test_an_invalid_digest_is_refused_with_what_is_allowed(text: str, says: str) -> None:
    """The length is the algorithm's own where it is known."""
    with pytest.raises(InvalidReference, match=re.escape(says)):
        check_digest(text)


@pytest.mark.parametrize("text", ["https://me:secret@test.com/a", "me:secret@test.com/a", "me:secret@a:80/a"])
def test_a_password_is_not_repeated(text: str) -> None:
    """Whoever pastes a URL with a password does not find it in a log."""
    with pytest.raises(InvalidReference) as caught:
        Reference.parse(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("unit", ["a", "A", "-", "a-", "_", "a/", "a.", ".", ":", "@", "[", "[:", "0", "/"])
def test_a_megabyte_is_refused_briefly(unit: str) -> None:
    """No expression backtracks without end, and no message repeats a long input."""
    much = unit * 1_000_000
    for text in (much, f"a.b/{much}", f"a.b/c@md:{much}!", f"{much}/!"):
        assert 0 < len(refusal(Reference.parse, text)) < 500
    assert 0 < len(refusal(lambda text: Repository(text, "repo"), f"{much}.A")) < 500


def test_importing_the_module_compiles_no_expression(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start-up pays for an expression only if it uses it."""
    with monkeypatch.context() as patch:
        patch.setattr(re, "compile", lambda *_: pytest.fail("compiled at import"))
        runpy.run_path(str(reference.__file__))


# What is valid by construction.
WORDS = st.text("abz019", min_size=1, max_size=5)


def joined(parts: st.SearchStrategy[str], by: list[str], most: int = 3) -> st.SearchStrategy[str]:
    more = st.lists(st.tuples(st.sampled_from(by), parts), max_size=most - 1)
    return st.builds(lambda first, rest: first + "".join(map("".join, rest)), parts, more)


PATHS = joined(joined(WORDS, [".", "_", "__", "-", "---"]), ["/"], most=4)
DOMAINS = st.builds("{}.{}".format, joined(WORDS, [".", "-", "--"]), joined(WORDS, [".", "-"]))
HOSTS = st.one_of(
    st.sampled_from(["docker.io", "ghcr.io", "localhost", "[::1]", "[2001:db8::8:1]", "192.0.2.1"]), DOMAINS
)
PORTS = st.integers(1, 65535).filter(lambda port: port != 443)
REGISTRIES = st.one_of(
    HOSTS,
    st.builds("{}:{}".format, HOSTS, PORTS),
    st.builds("{}:{}".format, joined(WORDS, ["-"]), st.integers(1, 65535)),  # one word keeps even port 443
)
REPOSITORIES = st.builds(Repository, REGISTRIES, PATHS.filter(lambda path: "/" in path))
REPOSITORIES |= st.builds(Repository, REGISTRIES.filter(lambda registry: registry != "docker.io"), PATHS)
REPOSITORIES |= st.builds(Repository, st.just("docker.io"), PATHS.map("library/{}".format))
TAG_TEXTS = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", fullmatch=True)
HEX = st.sampled_from("0123456789abcdef")
DIGEST_TEXTS = st.one_of(
    st.text(HEX, min_size=64, max_size=64).map("sha256:{}".format),
    st.text(HEX, min_size=32, max_size=50).map("md5x+y:{}".format),
)
REFERENCES = st.builds(Reference, REPOSITORIES, st.none() | TAG_TEXTS, st.none() | DIGEST_TEXTS)

# What is nearly valid.
PIECES = [
    *"aZ0._-:/@[] \n",
    *("__", "--", "ab", "localhost", "docker.io", "index.docker.io", "library", ":443", ":0", ":65536"),
    *("[::1]", "[1:2::", "sha256:" + "a" * 64, "@sha256:" + "0" * 64, "@x.y:" + "B" * 32, "://"),
    *("\u212a", "\u0663", "\x00"),
]
NEARLY = st.lists(st.sampled_from(PIECES), max_size=9).map("".join)


@examples(3000)
@given(REFERENCES)
def test_parse_undoes_str_and_familiar(value: Reference) -> None:
    """Every valid value is what its two spellings are read as, and so is its repository."""
    assert Reference.parse(str(value)) == value
    assert Reference.parse(value.familiar) == value
    assert Repository.parse(str(value.repository)) == value.repository
    assert Repository.parse(value.repository.familiar) == value.repository
    assert len(value.familiar) <= len(str(value))


@examples(8000)
@given(st.text() | NEARLY)
@example("Foo/bar")
@example("foo:443/bar")
@example("docker.io/a.b/c")
def test_any_text_is_parsed_to_a_stable_value_or_refused(text: str) -> None:
    """Nothing but InvalidReference, in one short printable line, comes out of bad input."""
    for kind in (Reference, Repository):
        if message := refusal(kind.parse, text):
            assert message.isprintable()
            assert len(message) < 2000
        else:
            value = kind.parse(text)
            assert kind.parse(str(value)) == kind.parse(value.familiar) == value
            assert str(kind.parse(str(value))) == str(value)


@examples(8000)
@given(st.text())
def test_any_text_is_a_tag_or_digest_or_refused(text: str) -> None:
    """The two checks raise InvalidReference alone."""
    for check in (check_tag, check_digest):
        message = refusal(check, text)
        assert message.isprintable()
        assert message or check(text) == text


# The grammar once more, from the other end: one expression for the whole reference, nested as the EBNF is.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_AFTER = rf"(?P<path>{_PART}(?:/{_PART})*)(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
_AFTER += r"(?:@(?:sha256:[a-f0-9]{64}|(?!sha)[a-z][a-z0-9]*(?:[-+._][a-z][a-z0-9]*)*:[a-fA-F0-9]{32,}))?"
WITHOUT_REGISTRY = re.compile(_AFTER)
WITH_REGISTRY = re.compile(
    rf"(?P<host>{_NAME}(?:\.{_NAME})*|\[(?P<ipv6>[a-fA-F0-9:]+)\])(?::(?P<port>[0-9]+))?/{_AFTER}"
)


def in_the_grammar(text: str) -> bool:
    head, slash, _ = text.partition("/")
    if not (slash and (re.search("[.:]", head) or head == "localhost" or head != head.lower())):
        return WITHOUT_REGISTRY.fullmatch(text) is not None
    match = WITH_REGISTRY.fullmatch(text)
    if match is None or (match["port"] and not 1 <= int(match["port"]) <= 65535):
        return False
    return match["ipv6"] is None or is_ipv6(match["ipv6"])


def is_ipv6(text: str) -> bool:
    try:
        return ipaddress.IPv6Address(text) is not None
    except ValueError:
        return False


@examples(8000)
@given(NEARLY)
def test_parse_accepts_what_the_grammar_accepts(text: str) -> None:
    """Splitting by hand and one large expression agree."""
    assert in_the_grammar(text) == (not refusal(Reference.parse, text))


@examples(4000)
@given(joined(st.sampled_from(["", "0", "aF", "1234", "12345"]), [":", "::"], most=10))
def test_an_ipv6_registry_is_an_ipv6_address(text: str) -> None:
    """The standard library's reader, which takes longer to import than this module, agrees."""
    accepted = not refusal(Repository.parse, f"[{text}]/repo")
    assert accepted == is_ipv6(text)
