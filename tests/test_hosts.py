"""Host kinds: the shapes of URLs that each one writes and reads."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import examples
from hypothesis import example, given
from hypothesis import strategies as st

from crane_mirrors import hosts
from crane_mirrors.errors import InvalidInput, NoRoute, UnknownName
from crane_mirrors.files import FilePath, Ref
from crane_mirrors.hosts import Found
from crane_mirrors.url import URL


class Shape(NamedTuple):
    """A URL and what it names: a repository, and a file's ref and path; ``page`` for one to look at."""

    kind: str
    url: str
    repository: str | None
    ref: str | None = None
    path: str | None = None
    page: bool = False


FILE = "integration/grafana/override_values.yaml"
CHARTS = "e.coding.net/finops/gocrane/helm-charts"
HUB = "github.com/gocrane/crane"
GITEE = "gitee.com/finops/crane"

SHAPES = [
    # Coding, as design.md section 1 gives them
    Shape("coding", "https://e.coding.net/finops/gocrane/helm-charts.git", CHARTS),
    Shape("coding", "https://e.coding.net/finops/gocrane/helm-charts", CHARTS),
    Shape("coding", "https://e.coding.net/finops/gocrane/helm-charts/", CHARTS),
    Shape("coding", "https://E.Coding.net:443/finops/gocrane/helm-charts.git", CHARTS),
    Shape("coding", "git@e.coding.net:finops/gocrane/helm-charts.git", CHARTS),
    Shape("coding", "ssh://git@e.coding.net:2222/finops/gocrane/helm-charts.git", CHARTS),
    Shape("coding", "https://finops.coding.net/public/gocrane/helm-charts/git/files", CHARTS, page=True),
    Shape("coding", "https://finops.coding.net/public/gocrane/helm-charts/git/files/main", CHARTS, page=True),
    Shape("coding", "https://finops.coding.net/p/gocrane/d/helm-charts/git", CHARTS, page=True),
    Shape(
        "coding",
        f"https://finops.coding.net/public/gocrane/helm-charts/git/files/main/{FILE}",
        CHARTS,
        "main",
        FILE,
        page=True,
    ),
    Shape(
        "coding",
        f"https://finops.coding.net/p/gocrane/d/helm-charts/git/raw/main/{FILE}?download=false",
        CHARTS,
        "main",
        FILE,
    ),
    Shape("coding", f"https://finops.coding.net/p/gocrane/d/helm-charts/git/raw/main/{FILE}", CHARTS, "main", FILE),
    Shape("coding", "https://finops.coding.net/p/gocrane/d/helm-charts/git/raw/a%2Fb/c%20d", CHARTS, "a/b", "c d"),
    Shape("coding", "https://finops.coding.net/p/gocrane/d/helm-charts/git/raw/main", None),
    Shape("coding", "https://finops.coding.net/p/gocrane/d/helm-charts/git/raw/main//x", None),
    Shape("coding", "https://finops.coding.net/public-artifacts/gocrane/crane/packages", None),
    Shape("coding", "https://finops.coding.net/clone/finops/gocrane/helm-charts", None),
    Shape("coding", "https://finops.coding.net/finops/gocrane/helm-charts", None),
    Shape("coding", "https://finops.coding.net", None),
    # Hosts of packages, other ports and other people's domains are other servers
    Shape(
        "coding",
        f"https://finops.coding.net:8443/p/gocrane/d/helm-charts/git/raw/main/{FILE}",
        f"finops.coding.net:8443/p/gocrane/d/helm-charts/git/raw/main/{FILE}",
    ),
    Shape("coding", "https://e.coding.net:8443/a/b/c.git", "e.coding.net:8443/a/b/c"),
    Shape("coding", "https://finops-helm.pkg.coding.net/gocrane/gocrane", "finops-helm.pkg.coding.net/gocrane/gocrane"),
    Shape("coding", "https://coding.corp.example/a/b/c.git", "coding.corp.example/a/b/c"),
    # GitHub
    Shape("github", "https://github.com/gocrane/crane.git", HUB),
    Shape("github", "https://github.com/gocrane/crane", HUB),
    Shape("github", "https://github.com/gocrane/crane/", HUB),
    Shape("github", "https://GitHub.com:443/gocrane/crane", HUB),
    Shape("github", "https://www.github.com/gocrane/crane", HUB),
    Shape("github", "http://github.com/gocrane/crane", HUB),
    Shape("github", "git://github.com/gocrane/crane.git", HUB),
    Shape("github", "ssh://git@github.com/gocrane/crane.git", HUB),
    Shape("github", "ssh://git@ssh.github.com:443/gocrane/crane.git", HUB),
    Shape("github", "git@github.com:gocrane/crane.git", HUB),
    Shape("github", "https://user:secret@github.com/gocrane/crane.git", HUB),
    Shape("github", "https://github.com/gocrane/crane#readme", HUB),
    Shape("github", "https://github.com/gocrane/crane/tree/main", HUB, page=True),
    Shape("github", "https://github.com/gocrane/crane/tree/main/docs", HUB, page=True),
    Shape("github", "https://github.com/gocrane/crane/blob/main/docs/a.md", HUB, "main", "docs/a.md", page=True),
    Shape("github", "https://github.com/gocrane/crane/blob/main/a.md?raw=true", HUB, "main", "a.md", page=True),
    Shape("github", "https://github.com/gocrane/crane/blob/main/a.md#L3-L5", HUB, "main", "a.md", page=True),
    Shape("github", "https://github.com/gocrane/crane/raw/main/a.sh", HUB, "main", "a.sh"),
    Shape("github", "https://github.com/gocrane/crane/raw/refs/heads/main/a.sh", HUB, "main", "a.sh"),
    Shape("github", "https://github.com/gocrane/crane/raw/refs/tags/v0.11.0/a.sh", HUB, "v0.11.0", "a.sh"),
    Shape("github", "https://raw.githubusercontent.com/gocrane/crane/main/a.sh", HUB, "main", "a.sh"),
    Shape("github", "https://raw.githubusercontent.com/gocrane/crane/refs/heads/main/d/a", HUB, "main", "d/a"),
    Shape("github", "https://raw.githubusercontent.com/gocrane/crane/refs/tags/v1/d/a", HUB, "v1", "d/a"),
    Shape("github", "https://raw.githubusercontent.com/gocrane/crane/main/a%20b%23c%3Fd%25e", HUB, "main", "a b#c?d%e"),
    Shape("github", "https://raw.githubusercontent.com/gocrane/crane/main/%C3%BC", HUB, "main", "ü"),
    Shape("github", "https://raw.githubusercontent.com/gocrane/crane/main/ü", HUB, "main", "ü"),
    Shape("github", "https://raw.githubusercontent.com/gocrane/crane/main", None),
    Shape("github", "https://raw.githubusercontent.com/gocrane/crane", None),
    Shape("github", "https://raw.githubusercontent.com/gocrane/crane/refs/heads/main", None),
    Shape("github", "https://github.com/gocrane/crane/blob/main", None),
    Shape("github", "https://github.com/gocrane/crane/raw", None),
    Shape("github", "https://github.com/gocrane/crane/issues/12", None),
    Shape("github", "https://github.com/gocrane/crane/pull/12/files", None),
    Shape("github", "https://github.com/gocrane/crane/releases/download/v1/a.tgz", None),
    Shape("github", "https://github.com/gocrane/crane/pkg/x", None),
    Shape("github", "https://github.com/gocrane", None),
    Shape("github", "https://github.com", None),
    Shape("github", "https://gocrane.github.io/helm-charts/index.yaml", None),
    Shape("github", "https://github.com:8443/gocrane/crane", "github.com:8443/gocrane/crane"),
    Shape("github", "https://git.corp.example/o/r.git", "git.corp.example/o/r"),
    Shape("github", "https://git.corp.example:8443/o/r/raw/main/a", "git.corp.example:8443/o/r", "main", "a"),
    Shape("github", "https://git.corp.example/o/r/blob/main/a", "git.corp.example/o/r", "main", "a", page=True),
    Shape("github", "git@git.corp.example:o/r.git", "git.corp.example/o/r"),
    # Gitee
    Shape("gitee", "https://gitee.com/finops/crane", GITEE),
    Shape("gitee", "https://gitee.com/finops/crane.git", GITEE),
    Shape("gitee", "git@gitee.com:finops/crane.git", GITEE),
    Shape("gitee", f"https://gitee.com/finops/crane/raw/main/{FILE}", GITEE, "main", FILE),
    Shape("gitee", f"https://gitee.com/finops/crane/blob/main/{FILE}", GITEE, "main", FILE, page=True),
    Shape("gitee", "https://gitee.com/finops/crane/tree/main", GITEE, page=True),
    Shape("gitee", "https://gitee.com/finops/crane/issues/I1", None),
    Shape("gitee", "https://gitee.com/finops", None),
    Shape("gitee", "https://gitee.com:8443/finops/crane", "gitee.com:8443/finops/crane"),
    Shape("gitee", "https://gitee.corp.example/o/r/raw/main/a", "gitee.corp.example/o/r", "main", "a"),
    # Hosts of which nothing is known
    Shape("generic", "https://git.example/a/b/c.git", "git.example/a/b/c"),
    Shape("generic", "https://git.example:8443/a", "git.example:8443/a"),
    Shape("generic", "ssh://git@git.example:2222/a/b.git", "git.example/a/b"),
]


def place(name: str, ref: str | None, path: str | None, page: bool) -> Found:
    return Found(name, Ref(ref) if ref else None, FilePath(path) if path else None, page)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape.kind} {shape.url}")
def test_a_url_names_a_repository_or_a_file(shape: Shape) -> None:
    """Each shape that people paste names what it names, and no other server's."""
    found = hosts.kind_named(shape.kind).find(URL.parse(shape.url))
    wanted = shape.repository and place(shape.repository, shape.ref, shape.path, shape.page)
    assert found == (wanted or None)


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/o/r/blob/a%20b/x",
        "https://raw.githubusercontent.com/o/r/main/a%00b",
        "https://gitee.com/o/r/raw/-x/y",
        "https://t.coding.net/p/x/d/r/git/raw/a~1/y",
    ],
)
def test_a_file_that_cannot_be_is_refused(url: str) -> None:
    """A URL whose ref or path no repository can hold is the project's own error."""
    parsed = URL.parse(url)
    with pytest.raises(InvalidInput):
        hosts.kind_of(parsed.host).find(parsed)


CLONES = [
    ("github", "https://github.com/gocrane/crane.git"),
    ("github", "https://github.com/gocrane/crane"),
    ("github", "https://git.corp.example:8443/o/r.git"),
    ("github", "http://git.corp.example/o/r"),
    ("gitee", "https://gitee.com/finops/crane"),
    ("gitee", "https://gitee.com/finops/crane.git"),
    ("gitee", "http://gitee.corp.example:3000/o/r.git"),
    ("coding", "https://e.coding.net/finops/gocrane/crane.git"),
    ("coding", "https://e.coding.net/finops/gocrane/crane"),
]

GOLDEN = [
    (
        "coding",
        "https://e.coding.net/finops/gocrane/helm-charts.git",
        f"https://finops.coding.net/p/gocrane/d/helm-charts/git/raw/main/{FILE}?download=false",
        f"https://finops.coding.net/public/gocrane/helm-charts/git/files/main/{FILE}",
    ),
    (
        "gitee",
        "https://gitee.com/finops/helm-charts",
        f"https://gitee.com/finops/helm-charts/raw/main/{FILE}",
        f"https://gitee.com/finops/helm-charts/blob/main/{FILE}",
    ),
    (
        "github",
        "https://github.com/gocrane/helm-charts.git",
        f"https://raw.githubusercontent.com/gocrane/helm-charts/main/{FILE}",
        f"https://github.com/gocrane/helm-charts/blob/main/{FILE}",
    ),
    (
        "github",
        "https://git.corp.example:8443/o/r.git",
        f"https://git.corp.example:8443/o/r/raw/main/{FILE}",
        f"https://git.corp.example:8443/o/r/blob/main/{FILE}",
    ),
]


@pytest.mark.parametrize(("kind", "clone", "raw", "page"), GOLDEN)
def test_the_urls_of_a_file(kind: str, clone: str, raw: str, page: str) -> None:
    """Raw files and pages are written as design.md, section 1, gives them."""
    host = hosts.kind_named(kind)
    assert host.raw_url(URL.parse(clone), Ref("main"), FilePath(FILE)) == raw
    assert host.file_page(URL.parse(clone), Ref("main"), FilePath(FILE)) == page


@pytest.mark.parametrize(("kind", "clone"), CLONES)
@pytest.mark.parametrize(
    "path", ["a b", "a#b", "a?b", "a%b", "%20", "ü/日本", "a+b", "a&b=c", "a;b", "a'b", '"', "\\", "~", "a:b"]
)
def test_hard_paths_are_encoded(kind: str, clone: str, path: str) -> None:
    """What means something else in a URL is percent-encoded, and reads back."""
    url = hosts.kind_named(kind).raw_url(URL.parse(clone), Ref("main"), FilePath(path))
    assert url.isascii()
    assert not set(" #\"'\\&;") & set(url)
    assert (found := hosts.kind_named(kind).find(URL.parse(url)))
    assert found.path == FilePath(path)


# A ref with a slash cannot be told from a folder, and after "refs" comes "heads" or "tags".
refs = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/"), min_size=1, max_size=8).filter(
    lambda text: text != "refs"
)
paths = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20) | st.lists(
    st.sampled_from(["a", "raw", "blob", "refs", "heads", "git", "x.git", "%2e", "...", "b c"]), min_size=1
).map("/".join)


@given(st.sampled_from(CLONES), refs, paths)
@examples(1000)
@example(CLONES[0], "raw", "blob/raw/refs/heads")
@example(CLONES[0], "heads", "refs/heads/x")
@example(CLONES[7], "git", "raw/files")
def test_finding_undoes_building(clone: tuple[str, str], ref_text: str, path_text: str) -> None:
    """Each file's raw URL and page name the same repository, ref and path again, on every kind of host."""
    kind, url = hosts.kind_named(clone[0]), URL.parse(clone[1])
    try:
        ref, path = Ref(ref_text), FilePath(path_text)
    except InvalidInput:
        return
    repository = kind.find(url)
    assert repository is not None
    raw = URL.parse(kind.raw_url(url, ref, path))
    assert kind.find(raw) == Found(repository.repository, ref, path)
    page = kind.file_page(url, ref, path)
    assert page is not None
    assert kind.find(URL.parse(page)) == Found(repository.repository, ref, path, page=True)


@given(st.sampled_from(["github", "gitee", "coding", "generic", "dockerhub", "ghcr"]), st.text(max_size=40))
@examples(300)
def test_any_url_is_found_or_not(kind: str, tail: str) -> None:
    """Any URL names something, nothing, or is refused with the project's own error."""
    host = {"github": "github.com", "gitee": "gitee.com", "coding": "t.coding.net"}.get(kind, "h.example")
    with suppress(InvalidInput):
        found = hosts.kind_named(kind).find(URL.parse(f"https://{host}/o/r/{tail}"))
        assert found is None or found.repository


def test_a_ref_with_a_slash() -> None:
    """GitHub and Gitee find out where it ends; on Coding it would end at the slash, which is said."""
    clone, ref, path = URL.parse("https://github.com/o/r"), Ref("feature/x"), FilePath("a")
    assert hosts.kind_named("github").raw_url(clone, ref, path) == "https://raw.githubusercontent.com/o/r/feature/x/a"
    clone = URL.parse("https://gitee.com/o/r")
    assert hosts.kind_named("gitee").raw_url(clone, ref, path) == "https://gitee.com/o/r/raw/feature/x/a"
    clone = URL.parse("https://e.coding.net/t/p/r.git")
    with pytest.raises(NoRoute, match="Coding cannot express the ref 'feature/x': a slash would end the ref"):
        hosts.kind_named("coding").raw_url(clone, ref, path)


@pytest.mark.parametrize(
    ("kind", "clone"),
    [
        ("generic", "https://git.example/o/r"),
        ("dockerhub", "https://hub.docker.com/o/r"),
        ("ghcr", "https://ghcr.io/o/r"),
        ("coding", "https://e.coding.net/t/r.git"),
        ("coding", "https://e.coding.net:8443/t/p/r.git"),
        ("coding", "https://coding.corp.example/t/p/r.git"),
    ],
)
def test_a_host_without_raw_files(kind: str, clone: str) -> None:
    """Where no form of raw-file URLs is known, none is invented."""
    with pytest.raises(NoRoute):
        hosts.kind_named(kind).raw_url(URL.parse(clone), Ref("main"), FilePath("a"))


@pytest.mark.parametrize(
    ("host", "kind"),
    [
        ("github.com", "github"),
        ("raw.githubusercontent.com", "github"),
        ("gocrane.github.io", "github"),
        ("gitee.com", "gitee"),
        ("e.coding.net", "coding"),
        ("finops-docker.pkg.coding.net", "coding"),
        ("docker.io", "dockerhub"),
        ("registry-1.docker.io", "dockerhub"),
        ("ghcr.io", "ghcr"),
        ("evilgithub.com", "generic"),
        ("github.com.example", "generic"),
        ("github.io", "generic"),
        ("coding.net", "generic"),
        ("evilcoding.net", "generic"),
        ("", "generic"),
    ],
)
def test_a_host_is_known_by_its_whole_name(host: str, kind: str) -> None:
    """Domains are compared by labels, never by how a name begins or ends."""
    assert hosts.kind_of(host).name == kind


def test_each_host_kind_is_a_file() -> None:
    """The words for host kinds are the names of the files, and each file says which domains it knows."""
    files = Path(hosts.__file__).parent.glob("[!_]*.py")
    assert hosts.kind_names() == tuple(sorted(file.stem for file in files))
    for name in hosts.kind_names():
        assert hosts.kind_named(name).name == name
        assert hosts.kind_named(name).domains
    with pytest.raises(UnknownName, match=r"unknown host kind 'gitte': did you mean 'gitee'\?"):
        hosts.kind_named("gitte")
