# ruff: noqa: E501, RUF001 (tables of texts, Chinese ones among them)
"""What the engine rewrites, what it leaves alone, and that neither chunks nor odd bytes change the answer."""

from __future__ import annotations

import io

import pytest
from conftest import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_index import build

from crane_mirrors.rewrite import grammar
from crane_mirrors.rewrite.engine import blocks, rewrite_stream, spans
from crane_mirrors.rewrite.index import Index

CODING = "finops-docker.pkg.coding.net/gocrane/crane"
IMAGES = ("craned", "crane-agent", "metric-adapter", "dashboard", "fadvisor", "crane-scheduler")
REPOSITORIES = ("crane", "helm-charts", "api", "crane-scheduler", "fadvisor")
RAW = "https://raw.githubusercontent.com/gocrane/crane/"
FAST = settings(examples(3000), suppress_health_check=list(HealthCheck))
CHEAP = settings(examples(12_000), suppress_health_check=list(HealthCheck))


def _resolve_url(url: str) -> str | None:
    """Stand in for the parse and render of raw files: GitHub raw to Gitee raw."""
    for head in (
        RAW + "refs/heads/",
        RAW,
        "https://github.com/gocrane/crane/raw/",
        "https://github.com/gocrane/crane/blob/",
    ):
        if url.lower().startswith(head):
            ref, _, path = url[len(head) :].partition("/")
            return f"https://gitee.com/finops/crane/raw/{ref}/{path}" if ref and path else None
    return None


def _index(*, to_origin: bool = False) -> Index:
    images: dict[str, str] = {}
    git: dict[str, str] = {}
    for name in IMAGES:
        hub, coding, ghcr = f"docker.io/gocrane/{name}", f"{CODING}/{name}", f"ghcr.io/gocrane/crane/{name}"
        images |= dict.fromkeys((hub, coding, ghcr), hub if to_origin else coding)
    images |= {"reg:5000/team/app": "m.example/team/app"}
    for name in REPOSITORIES:
        github, coding = f"github.com/gocrane/{name}", f"e.coding.net/finops/gocrane/{name}"
        git |= dict.fromkeys((github, coding), f"https://{github if to_origin else coding}.git")
    pair = ["https://gocrane.github.io/helm-charts", "https://finops-helm.pkg.coding.net/gocrane/gocrane"]
    helm = {pair[0]: pair[1]} if not to_origin else {pair[1]: pair[0]}
    helm |= {"https://charts.example": "https://mirror.example/charts"}
    return build(
        images=images,
        urls=helm,
        git=git,
        image_prefixes={
            "quay.io": "quay.m.example",
            "quay.io/team/deep": "deep.m.example/x",
            "reg.example:5000": "r.m.example",
        },
        resolvable={"raw.githubusercontent.com": ["gocrane"], "github.com": ["gocrane"]},
        resolve_url=(lambda _: None) if to_origin else _resolve_url,
    )


def _proxy() -> Index:
    raw = "https://raw.githubusercontent.com"
    return build(
        urls={
            raw: f"https://proxy.example/{raw}",
            "https://github.com": "https://git.example/mirror/github.com",
        }
    )


INDEX, ORIGIN, PROXY = _index(), _index(to_origin=True), _proxy()
HELM = "https://finops-helm.pkg.coding.net/gocrane/gocrane"
GIT = "https://e.coding.net/finops/gocrane/crane.git"
GITEE = "https://gitee.com/finops/crane/raw"


def rewritten(text: bytes, index: Index = INDEX, chunk: int = 1 << 18, portion: int = 1 << 30) -> bytes:
    """Rewrite through the stream, `portion` bytes to a read."""
    source, out = io.BytesIO(text), bytearray()
    for piece, start, stop, found in blocks(lambda size: source.read(min(size, portion)), index, chunk):
        done = start
        for at, end, replacement in found:
            out += piece[done:at] + replacement
            done = end
        out += piece[done:stop]
    return bytes(out)


C = f"{CODING}/craned"
S = f"{CODING}/crane-scheduler"
CHANGED = [
    # images: spellings
    ("image: gocrane/craned:main", f"image: {C}:main"),
    ("docker.io/gocrane/craned", C),
    ("Docker.IO/gocrane/craned:x", f"{C}:x"),
    ("index.docker.io/gocrane/craned:x", f"{C}:x"),
    ("registry-1.docker.io/gocrane/craned:x", f"{C}:x"),
    ("docker.io:443/gocrane/craned:x", f"{C}:x"),
    ("ghcr.io/gocrane/crane/craned:x", f"{C}:x"),
    ("gocrane/craned@sha256:" + "a" * 64, f"{C}@sha256:" + "a" * 64),
    ("gocrane/craned:v1@sha256:" + "a" * 64, f"{C}:v1@sha256:" + "a" * 64),
    ("gocrane/craned@${DIGEST}", f"{C}@${{DIGEST}}"),
    # images: places
    ("FROM gocrane/craned AS y", f"FROM {C} AS y"),
    ("COPY --from=gocrane/craned /a /b", f"COPY --from={C} /a /b"),
    ("docker pull gocrane/craned\r\n", f"docker pull {C}\r\n"),
    ("helm install --set a.b=gocrane/craned,c=d", f"helm install --set a.b={C},c=d"),
    ("--set url=https://x.example/a,image=gocrane/craned:1", f"--set url=https://x.example/a,image={C}:1"),
    ('{"image":"gocrane/craned:main"}', f'{{"image":"{C}:main"}}'),
    ("{image: gocrane/craned, tag: x}", f"{{image: {C}, tag: x}}"),
    ("[gocrane/craned, gocrane/dashboard]", f"[{C}, {CODING}/dashboard]"),
    ("| gocrane/craned | `gocrane/dashboard` |", f"| {C} | `{CODING}/dashboard` |"),
    ("|gocrane/craned|", f"|{C}|"),
    ("**gocrane/craned**, *gocrane/craned*", f"**{C}**, *{C}*"),
    ("**gocrane/craned:v1**", f"**{C}:v1**"),
    ("(see gocrane/craned).", f"(see {C})."),
    ("We run gocrane/craned. Do you?", f"We run {C}. Do you?"),
    ("Do you run gocrane/craned?", f"Do you run {C}?"),
    ("${IMAGE:-gocrane/craned:main}", f"${{IMAGE:-{C}:main}}"),
    ("image: gocrane/craned:${TAG}", f"image: {C}:${{TAG}}"),
    ("image: gocrane/craned:{{ .Values.tag }}", f"image: {C}:{{{{ .Values.tag }}}}"),
    ("image: gocrane/craned:<tag>", f"image: {C}:<tag>"),
    ("image: 'gocrane/craned:*'", f"image: '{C}:*'"),
    ('"docker pull gocrane/craned\\n"', f'"docker pull {C}\\n"'),
    ("kustomize edit set image gocrane/craned=gocrane/craned:v1", f"kustomize edit set image {C}={C}:v1"),
    ("example.com/image=gocrane/craned:v1", f"example.com/image={C}:v1"),
    ("<td>gocrane/craned</td>", f"<td>{C}</td>"),
    ("&quot;gocrane/craned&quot;", f"&quot;{C}&quot;"),
    ("使用gocrane/craned镜像", f"使用{C}镜像"),
    ("skopeo copy docker://gocrane/craned:v1 dir:x", f"skopeo copy docker://{C}:v1 dir:x"),
    ("docker://docker.io/gocrane/craned", f"docker://{C}"),
    ("uses: docker://gocrane/craned:v1", f"uses: docker://{C}:v1"),
    ("newName: gocrane/craned", f"newName: {C}"),
    ("from a/repo gocrane/craned", f"from a/repo {C}"),
    ("repo: reg:5000/team/app", "repo: m.example/team/app"),
    ("image:\n  repository: gocrane/craned\n  tag: main", f"image:\n  repository: {C}\n  tag: main"),
    # images that share their name with a repository, where the words beside them settle it
    ("gocrane/crane-scheduler:main", f"{S}:main"),
    ("docker.io/gocrane/crane-scheduler", S),
    ("image: gocrane/crane-scheduler", f"image: {S}"),
    ('"image": "gocrane/crane-scheduler"', f'"image": "{S}"'),
    ("SCHEDULER_IMAGE=gocrane/crane-scheduler", f"SCHEDULER_IMAGE={S}"),
    ("--set image.repository=gocrane/crane-scheduler", f"--set image.repository={S}"),
    ("FROM gocrane/crane-scheduler", f"FROM {S}"),
    ("docker pull gocrane/crane-scheduler", f"docker pull {S}"),
    ("docker run --rm -it gocrane/crane-scheduler sh", f"docker run --rm -it {S} sh"),
    ("the image gocrane/crane-scheduler", f"the image {S}"),
    ("the `gocrane/crane-scheduler` image", f"the `{S}` image"),
    ("gocrane/crane-scheduler镜像", f"{S}镜像"),
    (
        "scheduler:\n  image:\n    repository: gocrane/crane-scheduler",
        f"scheduler:\n  image:\n    repository: {S}",
    ),
    ("repository: gocrane/crane-scheduler", f"repository: {S}"),
    # prefix entries: whole segments, the longest first, exact before prefix
    ("quay.io/team/app:1", "quay.m.example/team/app:1"),
    ("quay.io/team/deep/app:1", "deep.m.example/x/app:1"),
    ("quay.io/team/deeper/app:1", "quay.m.example/team/deeper/app:1"),
    ("reg.example:5000/a/b", "r.m.example/a/b"),
    # helm
    ("helm repo add crane https://gocrane.github.io/helm-charts", f"helm repo add crane {HELM}"),
    ("https://gocrane.github.io/helm-charts/", f"{HELM}/"),
    ("HTTPS://GoCrane.github.io/helm-charts/index.yaml", f"{HELM}/index.yaml"),
    ("https://gocrane.github.io/helm-charts/x-1.0.tgz", f"{HELM}/x-1.0.tgz"),
    (
        "- {name: a, repository: https://gocrane.github.io/helm-charts, b: c}",
        f"- {{name: a, repository: {HELM}, b: c}}",
    ),
    ("a=https://gocrane.github.io/helm-charts,b=c", f"a={HELM},b=c"),
    ("https://gocrane.github.io/helm-charts.", f"{HELM}."),
    ("(https://gocrane.github.io/helm-charts)", f"({HELM})"),
    ("见https://gocrane.github.io/helm-charts。", f"见{HELM}。"),
    ("地址:https://gocrane.github.io/helm-charts，", f"地址:{HELM}，"),
    ("helm repo add x https://charts.example\n", "helm repo add x https://mirror.example/charts\n"),
    ("https://charts.example/index.yaml", "https://mirror.example/charts/index.yaml"),
    # git
    ("git clone https://github.com/gocrane/crane.git", f"git clone {GIT}"),
    ("git clone https://github.com/gocrane/crane&&cd crane", f"git clone {GIT}&&cd crane"),
    ("git clone https://github.com/gocrane/crane.git;cd crane", f"git clone {GIT};cd crane"),
    ("https://github.com/gocrane/crane/", GIT),
    ("http://github.com/gocrane/crane", GIT),
    ("https://github.com:443/gocrane/crane.git", GIT),
    ("git@github.com:gocrane/crane.git", GIT),
    ("url = git@github.com:gocrane/crane", f"url = {GIT}"),
    ("ssh://git@github.com/gocrane/crane.git", GIT),
    ("git://github.com/gocrane/crane.git", GIT),
    ("pip install git+https://github.com/gocrane/crane.git", f"pip install git+{GIT}"),
    ('source = "git::https://github.com/gocrane/crane.git"', f'source = "git::{GIT}"'),
    ("[crane](https://github.com/gocrane/crane)", f"[crane]({GIT})"),
    ("[gocrane/crane](https://github.com/gocrane/crane)", f"[gocrane/crane]({GIT})"),
    ("<https://github.com/gocrane/crane>", f"<{GIT}>"),
    ('<a href="https://github.com/gocrane/crane">x</a>', f'<a href="{GIT}">x</a>'),
    ("https://github.com/gocrane/crane[Crane]", f"{GIT}[Crane]"),
    ("${REPO:-https://github.com/gocrane/crane}", f"${{REPO:-{GIT}}}"),
    ("**https://github.com/gocrane/crane**", f"**{GIT}**"),
    ('"a\\nhttps://github.com/gocrane/crane\\n"', f'"a\\n{GIT}\\n"'),
    ("https://a.example/,https://github.com/gocrane/crane", f"https://a.example/,{GIT}"),
    ("https://github.com/gocrane/crane: the source", f"{GIT}: the source"),
    # raw files
    (f"curl {RAW}main/a/b.yaml | sh", f"curl {GITEE}/main/a/b.yaml | sh"),
    (f"{RAW}refs/heads/main/a.yaml", f"{GITEE}/main/a.yaml"),
    ("https://github.com/gocrane/crane/blob/main/a.md", f"{GITEE}/main/a.md"),
    (f"{RAW}${{BRANCH}}/a.yaml", f"{GITEE}/${{BRANCH}}/a.yaml"),
    (f"{RAW}$(git rev-parse HEAD)/a.yaml", f"{GITEE}/$(git rev-parse HEAD)/a.yaml"),
    (f"{RAW}{{{{ .Ref }}}}/a.yaml", f"{GITEE}/{{{{ .Ref }}}}/a.yaml"),
    (f"{RAW}<tag>/a.yaml", f"{GITEE}/<tag>/a.yaml"),
    (f"{RAW}main/a,b(1).yaml", f"{GITEE}/main/a,b(1).yaml"),
    (f"{RAW}main/文档.md", f"{GITEE}/main/文档.md"),
]


@pytest.mark.parametrize(("text", "expected"), CHANGED)
def test_names_are_rewritten_wherever_they_stand(text: str, expected: str) -> None:
    assert rewritten(text.encode()).decode() == expected


SAME = [
    "gocrane/crane is the source; gocrane/stress-ng has no mirror",
    "gocrane/craned-extra gocrane/craned_extra gocrane/craned.extra xgocrane/craned my-gocrane/craned",
    "gocrane/craned/x gocrane/craned/ gocrane/craned//x",
    "gocrane/craned-${ARCH} gocrane/craned${X} gocrane/craned$X gocrane/craned{a,b} gocrane/craned-",
    "${REG}/gocrane/craned $REG/gocrane/craned ${REG}gocrane/craned $gocrane/craned {{ .Reg }}gocrane/craned",
    "${gocrane/craned} ${gocrane/craned:0:4} $(X)gocrane/craned",
    "x/gocrane/craned ~/gocrane/craned ./gocrane/craned /gocrane/craned github.com/gocrane/craned",
    "https://hub.docker.com/r/gocrane/craned https://img.example/docker/v/gocrane/craned:main",
    "https://a.example/?image=gocrane/craned:main https://a.example/#gocrane/craned:main a.example/?q=gocrane/craned",
    "https://a.example/?u=https://github.com/gocrane/crane",
    "gocrane/craned*.yaml *gocrane/craned gocrane/craned#12 gocrane/craned+x gocrane/craned@v1 gocrane/craned~1",
    "gocrane/craned:main/x gocrane/craned:/x gocrane/craned::x docker-daemon:gocrane/craned:main",
    "gocrane/craned...",
    "ghcr.io:5000/gocrane/crane/craned localhost/gocrane/craned localhost:5000/gocrane/craned",
    "ghcr.io/gocrane/crane ghcr.io/gocrane/crane/craned/x ghcr.io.example/gocrane/crane/craned",
    "quay.io quay.io.example/a/b quay.io:5000/a/b quay.io//a quay.io/A/B reg.example/a/b reg.example:500/a/b",
    # a repository, not an image
    "See gocrane/crane-scheduler for more. | gocrane/crane-scheduler | cd gocrane/crane-scheduler",
    "[gocrane/crane-scheduler](https://a.example/) [`gocrane/craned`](https://a.example/) [gocrane/craned][1]",
    "repo: gocrane/crane-scheduler\nrepo=gocrane/craned\n--repo gocrane/craned\n-R gocrane/craned",
    "uses: gocrane/crane-scheduler@v1\nuses: gocrane/craned",
    "- uses: actions/checkout@v4\n  with:\n    ref: main\n    # note\n    repository: gocrane/craned",
    "if: github.repository == 'gocrane/craned'",
    "GITHUB_REPOSITORY: gocrane/craned",
    "gh repo clone gocrane/craned",
    "the gocrane/crane-scheduler repository, the repository gocrane/crane-scheduler, gocrane/crane-scheduler仓库",
    # URLs that are no place to clone from
    "https://github.com/gocrane/crane/issues/12 https://github.com/gocrane/crane/releases/download/v1/x.tgz",
    "https://github.com/gocrane/crane?tab=readme https://github.com/gocrane/crane#install https://github.com/gocrane",
    "https://github.com/gocrane/cranes https://github.com/gocrane/crane.github.io https://github.com/gocrane/crane/...",
    "https://github.com/gocrane/crane... https://github.com/gocrane/crane(Crane) https://github.com/gocrane/crane$X",
    "https://github.com/gocrane/crane${X} https://github.com/gocrane/crane{a,b} https://github.com/gocrane/crane{a b}",
    "github.com/gocrane/crane/pkg/x github.com/gocrane/crane gocrane.github.io/helm-charts",
    "https://www.github.com/gocrane/crane https://github.com.example/gocrane/crane https://github.com:8443/gocrane/crane",
    "https://user:pw@github.com/gocrane/crane https://token@github.com/gocrane/crane https://git@github.com/gocrane/crane",
    "https://github.com:pw@a.example/gocrane/crane https://github.com@a.example/gocrane/crane me@github.com:gocrane/crane",
    "xgit@github.com:gocrane/crane.git a/git@github.com:gocrane/crane.git",
    "https://proxy.example/https://github.com/gocrane/crane.git ftp://github.com/gocrane/crane xhttps://github.com/gocrane/crane",
    "https://gocrane.github.io/helm-charts-old https://gocrane.github.io/ https://gocrane.github.io",
    "https:\\/\\/github.com\\/gocrane\\/crane",
    "https://charts.example.org/x https://charts.examples",
    "https://[::1]/gocrane/crane https://github.com:x/gocrane/crane http://[github.com/gocrane/crane",
    f"{RAW}main/x{{a b}}.yaml {RAW}main/x(a b).yaml {RAW}$(cat a/b)/x.yaml",
]


@pytest.mark.parametrize("text", SAME)
def test_what_only_looks_like_a_name_is_left_alone(text: str) -> None:
    assert rewritten(text.encode()).decode() == text


ODD = [
    (b"\xff\xfegocrane/craned\x00docker.io/gocrane/craned\xff", f"\xff\xfe{C}\0{C}\xff".encode("latin-1")),
    (b"\xef\xbb\xbfgocrane/craned:1\r\n\r", b"\xef\xbb\xbf" + C.encode() + b":1\r\n\r"),
    (b"", b""),
    (b"/", b"/"),
    (b"://", b"://"),
    (b"git@", b"git@"),
]


@pytest.mark.parametrize(("text", "expected"), ODD)
def test_bytes_that_are_not_text_stay_and_separate_names(text: bytes, expected: bytes) -> None:
    assert rewritten(text) == expected


def test_a_proxy_in_front_of_a_url_is_not_put_there_twice() -> None:
    text = b"curl https://raw.githubusercontent.com/a/b/main/c https://github.com/a/b/issues/1"
    once = rewritten(text, PROXY)
    assert once == (
        b"curl https://proxy.example/https://raw.githubusercontent.com/a/b/main/c"
        b" https://git.example/mirror/github.com/a/b/issues/1"
    )
    assert rewritten(once, PROXY) == once


@pytest.mark.parametrize(("text", "expected"), CHANGED)
def test_running_twice_is_the_same_as_once(text: str, expected: str) -> None:
    assert rewritten(expected.encode()).decode() == expected, text


ROUND_TRIP = [
    "image: docker.io/gocrane/craned:main",
    "git clone https://github.com/gocrane/crane.git",
    "helm repo add crane https://gocrane.github.io/helm-charts",
]


@pytest.mark.parametrize("text", ROUND_TRIP)
def test_canonical_origins_come_back_from_a_mirror(text: str) -> None:
    there = rewritten(text.encode())
    assert there != text.encode()
    assert rewritten(there, ORIGIN).decode() == text


def test_a_password_is_never_handed_to_the_callback() -> None:
    seen: list[bytes] = []
    index = Index(images=[], urls={b"h": []}, repositories=[], replace_image=lambda _: None, replace_url=seen.append)
    spans(
        b"https://h:pw@x/ https://h@x/ https://u:pw@h/ https://git@h/ ssh://git@h/a ssh://git:pw@h/a https://h/a",
        index,
    )
    assert seen == [b"ssh://git@h/a", b"https://h/a"]


@pytest.mark.parametrize(
    "piece",
    [b"a", b"gocrane/", b"https://github.com/gocrane/crane/", b"x=gocrane/craned&", b"git@", b"{{", b"["],
)
def test_a_line_of_a_megabyte_is_done_in_time_that_grows_with_its_length(piece: bytes) -> None:
    text = piece * (1_000_000 // len(piece)) + b" gocrane/craned"
    assert rewritten(text).endswith(b" " + C.encode())


def test_a_name_at_every_place_around_a_cut_is_found() -> None:
    name = b"docker.io/gocrane/craned:main"
    for before in range(4096 - 2200, 4096 + 64, 7):
        text = b"-" * before + b" " + name + b" " + b"-" * 5000
        assert rewritten(text, chunk=2048).count(C.encode()) == 1, before


def test_every_case_is_the_same_wherever_it_is_cut() -> None:
    text = "\n".join([given for given, _ in CHANGED] + SAME).encode()
    for chunk in range(1, 1200, 13):
        assert rewritten(text, chunk=chunk) == rewritten(text), chunk


def test_addresses_inside_each_other_are_replaced_once() -> None:
    index = Index(
        images=[],
        urls={b"h": []},
        repositories=[],
        replace_image=lambda _: None,
        replace_url=lambda _: b"new",
    )
    assert rewritten(b"git@h:x,git@h:a/b c", index) == b"new c"


def test_a_replacement_beyond_the_window_is_refused() -> None:
    long = "https://" + "m" * grammar.LOOK_BEHIND
    assert rewritten(b"https://a.example/x", build(urls={"https://a.example": long})) == b"https://a.example/x"


def test_the_stream_counts_names_and_copies_everything() -> None:
    out = io.BytesIO()
    assert rewrite_stream(io.BytesIO(b"gocrane/craned a/b gocrane/craned:1").read, out.write, INDEX) == 2
    assert out.getvalue() == f"{C} a/b {C}:1".encode()


ATOMS = (
    [text.encode() for text, _ in CHANGED]
    + [text.encode() for text in SAME]
    + [piece.encode() for text in SAME for piece in text.split()]
    + [
        b" ",
        b"\n",
        b"  ",
        b"/",
        b":",
        b"=",
        b",",
        b";",
        b"&",
        b"?",
        b"#",
        b"*",
        b"\\",
        b"$",
        b"{",
        b"}",
        b"(",
        b")",
        b"@",
    ]
    + [
        b"x" * 700,
        b"x" * 1100,
        b" " * 600,
        b"a/" * 500,
        b"image: ",
        b"repo: ",
        b"with:\n  ",
        b"repository: ",
        b"\xe4\xbb",
    ]
)
documents = st.lists(st.sampled_from(ATOMS) | st.binary(max_size=12), max_size=24).map(b"".join)


@FAST
@given(documents, st.integers(1, 3000), st.integers(1, 3000))
def test_cuts_do_not_change_the_result(text: bytes, chunk: int, portion: int) -> None:
    assert rewritten(text, chunk=chunk, portion=portion) == rewritten(text)


@FAST
@given(documents)
def test_bytes_outside_spans_stay_and_spans_are_in_order(text: bytes) -> None:
    done, kept, pieces = 0, [], []
    for start, end, replacement in spans(text, INDEX):
        assert done <= start < end <= len(text)
        kept.append(text[done:start])
        pieces.append(replacement)
        done = end
    kept.append(text[done:])
    joined = kept[0] + b"".join(new + old for new, old in zip(pieces, kept[1:], strict=True))
    assert rewritten(text) == joined


@FAST
@given(documents, st.sampled_from([INDEX, ORIGIN, PROXY]))
def test_rewriting_is_idempotent(text: bytes, index: Index) -> None:
    once = rewritten(text, index)
    assert rewritten(once, index) == once


@CHEAP
@given(st.binary(max_size=3000), st.integers(1, 500))
def test_arbitrary_bytes_never_crash(text: bytes, chunk: int) -> None:
    assert rewritten(text, chunk=chunk) == rewritten(text)


def test_limits_fit_the_windows() -> None:
    assert grammar.TOKEN_LIMIT + 200 < grammar.LOOK_AHEAD
    assert grammar.TOKEN_LIMIT < grammar.LOOK_BEHIND
