"""`config git` as Git itself reads it: which URL goes where, and what servers see of a clone, fetch and push."""

from __future__ import annotations

import os
import re
import ssl
import string
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest
from conftest import examples, need
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.catalogue import load, parse
from crane_mirrors.catalogue.entry import key_of
from crane_mirrors.resolve.routes import Choice, rank
from crane_mirrors.targets import Configuration, Options, copies, target_named

TARGET = target_named("git")
GITHUB, CODING = "https://github.com/gocrane", "https://e.coding.net/finops/gocrane"
PREFIXED = """
version: 1
git:
  forge: {origin: "https://github.com/*", mirrors: {corp: "https://git.corp.example/github.com/*"}}
  folder: {origin: "https://git.corp.example/*", mirrors: {far: "https://far.example/*"}}
"""


def configured(text: str = "", *mirrors: str, ssh: bool = False) -> Configuration:
    """Write the configuration for the built-in catalogue, with another laid over it."""
    catalogue = load() if not text else parse([("built-in", BUILTIN), ("own", text.encode())])
    rows = list(copies(catalogue, TARGET.kinds, Choice(mirrors)))
    return TARGET.configure(rows, Options(ssh=ssh))


BUILTIN = (Path(__file__).parents[2] / "data" / "mirrors.yaml").read_bytes()


class Rules(dict[str, str]):
    """What a URL begins with, and what replaces that; too many to be shown where a test fails."""

    def __repr__(self) -> str:
        return f"<{len(self)} rules>"


class Git:
    """Git with the file included, and nothing of the person who runs the tests."""

    def __init__(self, folder: Path, text: str, *settings: str) -> None:
        self.program, self.folder = need("git"), folder
        (folder / "included").write_text(f"# Written by crane-mirrors.\n{text}", encoding="utf-8")
        lines = ["[include]\n\tpath = included\n[init]\n\tdefaultBranch = main\n", *settings]
        (folder / "gitconfig").write_text("".join(lines), encoding="utf-8")
        self.environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folder),
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **{f"GIT_{who}_{what}": "t@e" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
        }

    def __call__(self, *arguments: str, cwd: Path | None = None) -> str:
        """Run a command that has to succeed, and give its output."""
        process = subprocess.run(
            [self.program, *arguments],
            cwd=cwd or self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert process.returncode == 0, process.stderr
        return process.stdout.removesuffix("\n")

    def url(self, url: str) -> str:
        """Say where Git would fetch from."""
        return self("ls-remote", "--get-url", url)

    def rules(self, key: str) -> Rules:
        """Read the rules out of the file: what a URL begins with, and what replaces that."""
        rules = Rules()
        for item in self("config", "-f", str(self.folder / "included"), "-z", "--list").split("\0")[:-1]:
            name, _, value = item.partition("\n")
            section, _, variable = name.rpartition(".")
            if variable == key.lower():
                assert value not in rules, value
                rules[value] = section.removeprefix("url.")
        return rules


def rewritten(rules: Rules, url: str) -> str:
    """Do what git-config(1) says of insteadOf: the longest value that the URL begins with is replaced, once."""
    longest = max((url[:end] for end in range(len(url) + 1) if url[:end] in rules), key=len, default=None)
    return url if longest is None else rules[longest] + url[len(longest) :]


SAME = [
    # Names that merely begin like crane's, or like its clone URL's end.
    f"{GITHUB}/crane-foo", f"{GITHUB}/crane-foo.git", f"{GITHUB}/cranefoo", f"{GITHUB}/craned.git", f"{GITHUB}/crane2",
    f"{GITHUB}/crane_x", f"{GITHUB}/crane.github.io", f"{GITHUB}/crane.github.io.git", f"{GITHUB}/crane.gitops",
    f"{GITHUB}/crane.wiki.git", f"{GITHUB}/crane.git.git", f"{GITHUB}/crane.git-x", f"{GITHUB}/crane%2Dx",
    f"{GITHUB}/crane-schedule", f"{GITHUB}/crane-schedulers", f"{GITHUB}/crane.gi", f"{GITHUB}/crane.",
    # Other owners, hosts, schemes, and URLs that hold a password.
    f"{GITHUB}/apis", f"{GITHUB}", f"{GITHUB}/", f"{GITHUB}/cran", "https://github.com/gocrane-io/crane",
    "https://github.com/x/crane.git",
    "https://github.com.example/gocrane/crane", "http://github.com/gocrane/crane", "https://github.com:8443/gocrane/crane",
    "https://user:secret@github.com/gocrane/crane.git", f"{CODING}/crane.git", "https://gitee.com/finops/crane",
    "https://github.com/GoCrane/Crane", "/srv/git/crane.git", "crane",
]  # fmt: skip
SSH = ["git@github.com:gocrane/{}", "ssh://git@github.com/gocrane/{}"]


@pytest.mark.parametrize("ssh", [False, True])
def test_only_repositories_of_the_catalogue_are_redirected(ssh: bool, tmp_path: Path) -> None:
    """Git sends each form of a repository's URL to its mirror, and everything that merely begins so stays."""
    git = Git(tmp_path, configured(ssh=ssh).files[0].text)
    for name in ("crane", "helm-charts", "api", "crane-scheduler", "fadvisor"):
        for form in (f"{GITHUB}/{{}}", *SSH):
            url = form.format(name)
            mirror = f"{CODING}/{name}.git" if ssh or form not in SSH else None
            assert git.url(url) == (mirror or url)
            assert git.url(f"{url}.git") == (mirror or f"{url}.git")
            assert git.url(f"{url}/") == (mirror or url) + "/"
            assert git.url(f"{url}.git/") == (mirror or f"{url}.git") + "/"
    for url in SAME:
        assert git.url(url) == url
        for form in SSH:
            assert git.url(over_ssh := url.replace(f"{GITHUB}/", form.format(""))) == over_ssh


def test_mirror_of_ones_choice(tmp_path: Path) -> None:
    """A repository that the chosen mirror has not is left alone, and a mirror without `.git` is taken as it is."""
    git = Git(tmp_path, configured("", "gitee").files[0].text)
    assert git.url(f"{GITHUB}/crane.git") == "https://gitee.com/finops/crane"
    assert git.url(f"{GITHUB}/api.git") == f"{GITHUB}/api.git"


def test_prefix_takes_all_but_single_repositories(tmp_path: Path) -> None:
    """Below a prefix everything goes to its mirror, what begins like a single repository's name included."""
    git = Git(tmp_path, configured(PREFIXED, "coding", "corp", ssh=True).files[0].text)
    corp = "https://git.corp.example/github.com"
    for url, expected in {
        f"{GITHUB}/crane": f"{CODING}/crane.git",
        f"{GITHUB}/crane-foo.git": f"{corp}/gocrane/crane-foo.git",
        "git@github.com:gocrane/crane.git": f"{CODING}/crane.git",
        "git@github.com:gocrane/crane.github.io": f"{corp}/gocrane/crane.github.io",
        "ssh://git@github.com/torvalds/linux": f"{corp}/torvalds/linux",
        "https://github.com/torvalds/linux.git": f"{corp}/torvalds/linux.git",
        "https://github.com.example/torvalds/linux.git": "https://github.com.example/torvalds/linux.git",
    }.items():
        assert git.url(url) == expected
        git("init", "-q", "repository")
        git("config", "remote.origin.url", url, cwd=tmp_path / "repository")
        assert git("remote", "get-url", "--push", "origin", cwd=tmp_path / "repository") == url


STAYING = """
version: 1
builtin: false
regions: {cn: [corp, origin]}
git:
  all: {origin: "https://a.example/*", mirrors: {corp: "https://m.example/a/*"}}
  folder: {origin: "https://a.example/f/*", mirrors: {late: "https://a.example/g/*"}}
  one: {origin: "https://a.example/o/one.git", mirrors: {late: "https://a.example/p/two"}}
  two: {origin: "https://a.example/o/two", mirrors: {corp: "https://a.example/p/one.git"}}
"""


@examples(300)
@given(
    path=st.lists(st.sampled_from(["f", "g", "o", "p", "one", "two", "one-x", "two.x"]), min_size=2, max_size=2),
    ssh=st.sampled_from(["https://a.example/", "git@a.example:", "ssh://git@a.example/"]),
    end=st.sampled_from(["", ".git", "/", ".git/", ".gitx"]),
)
def test_what_stays_is_excepted_from_a_prefix(path: list[str], ssh: str, end: str, staying: Rules) -> None:
    """An entry of its own comes before any prefix, also one whose best place is the origin; as the catalogue says."""
    catalogue = parse([("built-in", BUILTIN), ("own", STAYING.encode())])
    url = ssh + "/".join(path) + end
    where = "/".join(["a.example", *path]) + (".gitx" if end == ".gitx" else "")
    entry = catalogue.covering("git", where)
    assert entry
    best = rank(catalogue, entry, Choice()).places[0]
    here = next(place for place in entry.places if key_of(place.location) == where)
    there = url
    if here.is_origin and best != here:  # names of mirrors are not redirected
        # What a prefix makes of a URL ends as that does.
        tail = end.removeprefix(".gitx") if entry.name == "all" else "/" * end.endswith("/")
        there = f"{best.location}{tail}"
    assert rewritten(staying, url) == there


@pytest.fixture(scope="module")
def staying(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Read the rules for a prefix with exceptions, once Git was seen to follow them."""
    git = Git(tmp_path_factory.mktemp("staying"), configured(STAYING, ssh=True).files[0].text)
    for url in ("https://a.example/o/one.git", "git@a.example:o/one", "https://a.example/f/x", "git@a.example:g/x"):
        assert git.url(url) == url
    assert git.url("https://a.example/o/one-x") == "https://m.example/a/o/one-x"
    return git.rules("insteadOf")


def test_repository_whose_name_is_another_guard(tmp_path: Path) -> None:
    """A name that is another's and one character more has a rule of its own in place of that guard."""
    text = f"version: 1\ngit:\n  crane2: {{origin: '{GITHUB}/crane2', mirrors: {{coding: '{CODING}/second'}}}}\n"
    git = Git(tmp_path, configured(text).files[0].text)
    assert git.url(f"{GITHUB}/crane2") == git.url(f"{GITHUB}/crane2.git") == f"{CODING}/second"
    assert git.url(f"{GITHUB}/crane2x") == f"{GITHUB}/crane2x"
    assert git.rules("insteadOf")[f"{GITHUB}/crane2"] == f"{CODING}/second"


def test_what_is_on_a_mirror_already_is_left_there(tmp_path: Path) -> None:
    """A mirror that stands below another prefix is not redirected once more."""
    git = Git(tmp_path, configured(PREFIXED, "corp", "far").files[0].text)
    assert git.url("https://git.corp.example/x/y") == "https://far.example/x/y"
    assert git.url("https://git.corp.example/github.com/x/y") == "https://git.corp.example/github.com/x/y"


@pytest.mark.parametrize("mirrors", [("best", "far"), ("best", "corp", "far")])
def test_every_address_of_a_mirror_is_left_there(mirrors: tuple[str, ...], tmp_path: Path) -> None:
    """Over SSH as well, and also of one that another is preferred to."""
    text = PREFIXED.replace("{corp:", '{best: "https://best.example/*", corp:')
    git = Git(tmp_path, configured(text, *mirrors, ssh=True).files[0].text)
    assert git.url("git@git.corp.example:x/y") == "https://far.example/x/y"
    for form in ("https://git.corp.example/", "git@git.corp.example:", "ssh://git@git.corp.example/"):
        assert git.url(f"{form}github.com/x/y") == f"{form}github.com/x/y"


PORTS = """
version: 1
builtin: false
regions: {cn: [corp]}
git:
  other: {origin: "https://git.example:8443/a/x", mirrors: {corp: "https://m.example/other"}}
  folder: {origin: "https://git.example:8443/*", mirrors: {corp: "https://m.example/*"}}
  same: {origin: "https://git.example/a/x", mirrors: {corp: "https://m.example/same"}}
"""


def test_ssh_server_is_that_of_the_host_without_a_port(tmp_path: Path) -> None:
    """As `resolve` has it: which SSH server belongs to another port of the web is not known, and a note names those."""
    found = configured(PORTS, ssh=True)
    git = Git(tmp_path, found.files[0].text)
    for form in ("git@git.example:", "ssh://git@git.example/"):
        assert git.url(f"{form}a/x") == "https://m.example/same"
        assert git.url(f"{form}a/y") == f"{form}a/y"
    assert git.url("https://git.example:8443/a/x") == "https://m.example/other"
    assert [note for note in found.notes if "SSH server" in note and "git.example:8443/a/x" in note]
    assert not [note for note in configured(PORTS).notes + configured(ssh=True).notes if "SSH server" in note]


PIECE = st.text(string.ascii_letters + string.digits + "-._~+%", max_size=4)
NAME = st.sampled_from(["crane", "crane-scheduler", "api", "helm-charts", "fadvisor", "cran"])


@examples(300)
@given(name=NAME, before=st.sampled_from(["", ".git", ".gi", "-"]), piece=PIECE, slash=st.sampled_from(["", "/"]))
def test_rules_are_exact(name: str, before: str, piece: str, slash: str, rules: Rules) -> None:
    """For every name of the characters that forges allow, the rules do what an exact comparison would do."""
    whole = f"{name}{before}{piece}"
    known = whole.removesuffix(".git")
    there = f"{CODING}/{known}.git" if known in load().names("git", aliases=False) else f"{GITHUB}/{whole}"
    assert rewritten(rules, f"{GITHUB}/{whole}{slash}") == f"{there}{slash}"


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    """Read the rules for the built-in catalogue, once Git was seen to apply such as the model of them does."""
    git = Git(tmp_path_factory.mktemp("rules"), configured().files[0].text)
    rules = git.rules("insteadOf")
    for url in [*SAME[::3], f"{GITHUB}/crane", f"{GITHUB}/crane-scheduler.git/", f"{GITHUB}/crane.github.io"]:
        assert git.url(url) == rewritten(rules, url)
    return rules


ODD = st.text(string.ascii_letters + string.digits + "-._~!$&'()+,;=:@", min_size=1, max_size=6).filter(
    lambda part: part.strip(".") and not part.endswith(".git")
)


@examples(30)
@given(owner=ODD, name=ODD)
def test_odd_urls_come_through_gits_own_quoting(owner: str, name: str, scratch: Path) -> None:
    """A URL with what begins a comment or ends a string elsewhere is read back as it was written."""
    text = f"version: 1\nbuiltin: false\ngit:\n  x:\n    origin: |-\n      https://a.example/{owner}/{name}\n"
    text += f"    mirrors:\n      b: |-\n        https://b.example/{name}/{owner}\n"
    git = Git(scratch, configured(text, "b").files[0].text)
    rules = git.rules("insteadOf")
    assert rules[f"https://a.example/{owner}/{name}"] == f"https://b.example/{name}/{owner}"
    assert rules[f"https://a.example/{owner}/{name}.git"] == f"https://b.example/{name}/{owner}"
    assert git.rules("pushInsteadOf") == {f"https://a.example/{owner}/{name}": f"https://a.example/{owner}/{name}"}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder for what each example overwrites."""
    return tmp_path_factory.mktemp("scratch")


def test_number_of_single_repositories_has_a_limit() -> None:
    """What makes Git slow is told, and what makes it too slow left out, with the reason."""

    def many(count: int) -> Configuration:
        lines = [f"  r{number}: {{origin: https://a.example/o/r{number}, mirrors: {{b: https://b.example/r{number}}}}}\n"
                 for number in range(count)]  # fmt: skip
        return configured("version: 1\nbuiltin: false\ngit:\n" + "".join(lines), "b")

    assert not any("slower" in note for note in many(50).notes)
    assert re.search(r"about 2\d\d ms slower", many(102).notes[-1])
    configuration = many(300)
    assert 50 < len(configuration.left_out) < 100
    assert configuration.left_out[-1].name == "r299"
    assert "prefix" in configuration.left_out[0].reason
    assert "b.example/r299" not in configuration.files[0].text


class Seen(NamedTuple):
    """What a server was asked for."""

    host: str
    path: str


@dataclass
class Forges:
    """All Git hosts of the catalogue: repositories in folders, and what was asked of them."""

    root: Path
    proxy: str
    certificate: Path
    seen: list[Seen] = field(default_factory=list)

    def hosts(self) -> set[tuple[str, str]]:
        """Give host and repository of each request since the last call."""
        seen, self.seen[:] = list(self.seen), []
        return {(host, path.partition("/info/")[0].partition("/git-")[0]) for host, path in seen}


class Handler(BaseHTTPRequestHandler):
    """A proxy that is itself every host it is asked to connect to: TLS, and git-http-backend behind it."""

    protocol_version = "HTTP/1.1"
    forges: Forges
    tls: ssl.SSLContext
    host = ""

    def do_CONNECT(self) -> None:
        self.host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        self.connection = self.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", 0)
        self.close_connection = False

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.forges.seen.append(Seen(self.host, url.path))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        backend = subprocess.run(["git", "http-backend"], env=self.cgi(url.path, url.query), input=body,
                                 stdout=subprocess.PIPE, check=True).stdout  # fmt: skip
        head, _, answer = backend.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    do_POST = do_GET

    def cgi(self, path: str, query: str) -> dict[str, str]:
        """Give the variables of RFC 3875 that git-http-backend(1) asks for; everybody may push."""
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_PROJECT_ROOT": str(self.forges.root / self.host),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": "tester",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": unquote(path),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": self.headers.get("Content-Length", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }

    def finish(self) -> None:
        super().finish()
        self.connection.close()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def forges(tmp_path: Path) -> Iterator[Forges]:
    """Start the catalogue's hosts behind a proxy, with a certificate that is good for their names."""
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    names = "subjectAltName=DNS:github.com,DNS:e.coding.net,DNS:gitee.com"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(key)]
    command = [need("openssl"), "req", "-x509", *curve, "-out", str(certificate), "-subj", "/CN=x", "-addext", names]
    subprocess.run(command, capture_output=True, check=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    class ThisHandler(Handler):
        pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), ThisHandler)
    forges = Forges(tmp_path / "forges", f"http://127.0.0.1:{server.server_port}", certificate)
    ThisHandler.forges, ThisHandler.tls = forges, tls
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield forges
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def git(tmp_path: Path, forges: Forges) -> Git:
    """Give Git with the built-in catalogue's rules, and every repository on its origin and its best mirror."""
    http = f"[http]\n\tproxy = {forges.proxy}\n\tsslCAInfo = {forges.certificate}\n"
    git = Git(tmp_path, configured().files[0].text, http)
    work = tmp_path / "work"
    git("init", "-q", str(work))
    git("commit", "-q", "--allow-empty", "-m", "one", cwd=work)
    for name in ("crane", "api", "crane-foo"):
        for place in (f"github.com/gocrane/{name}", f"e.coding.net/finops/gocrane/{name}"):
            git("clone", "-q", "--bare", str(work), str(forges.root / f"{place}.git"))
        (forges.root / f"github.com/gocrane/{name}").symlink_to(f"{name}.git")
    return git


def test_clone_and_fetch_reach_the_mirror_and_push_the_origin(git: Git, forges: Forges, tmp_path: Path) -> None:
    """Of a clone, a fetch and a push, each server sees what it should and nothing else."""
    git("clone", "-q", f"{GITHUB}/crane", "crane")
    assert forges.hosts() == {("e.coding.net", "/finops/gocrane/crane.git")}
    here = tmp_path / "crane"
    assert git("config", "remote.origin.url", cwd=here) == f"{GITHUB}/crane"
    assert git("remote", "get-url", "--push", "origin", cwd=here) == f"{GITHUB}/crane"
    git("fetch", "-q", cwd=here)
    assert forges.hosts() == {("e.coding.net", "/finops/gocrane/crane.git")}
    git("commit", "-q", "--allow-empty", "-m", "two", cwd=here)
    git("push", "-q", "origin", "main", cwd=here)
    assert forges.hosts() == {("github.com", "/gocrane/crane")}
    git("push", "-q", f"{GITHUB}/crane.git", "main:other", cwd=here)
    assert forges.hosts() == {("github.com", "/gocrane/crane.git")}
    origin, mirror = (
        forges.root / place / "crane.git" for place in ("github.com/gocrane", "e.coding.net/finops/gocrane")
    )
    assert (
        git("rev-parse", "main", cwd=origin)
        == git("rev-parse", "other", cwd=origin)
        == git("rev-parse", "HEAD", cwd=here)
    )
    assert git("rev-parse", "main", cwd=mirror) == git("rev-parse", "HEAD~1", cwd=here)


def test_unrelated_repository_is_cloned_and_pushed_where_it_is(git: Git, forges: Forges, tmp_path: Path) -> None:
    """A repository whose name begins like crane's never leaves its host, though the mirror has one of that name."""
    git("clone", "-q", f"{GITHUB}/crane-foo.git", "foo")
    git("push", "-q", "origin", "main:other", cwd=tmp_path / "foo")
    assert forges.hosts() == {("github.com", "/gocrane/crane-foo.git")}


def test_submodules_come_from_their_mirrors(git: Git, forges: Forges, tmp_path: Path) -> None:
    """Absolute and relative URLs of submodules are redirected, and .gitmodules keeps the origin's."""
    work = tmp_path / "work"
    git("submodule", "--quiet", "add", f"{GITHUB}/api.git", "absolute", cwd=work)
    git("commit", "-q", "-m", "submodule", cwd=work)
    for place in ("github.com/gocrane", "e.coding.net/finops/gocrane"):
        git("push", "-q", str(forges.root / place / "crane.git"), "main", cwd=work)
    assert (work / ".gitmodules").read_text().count(f"url = {GITHUB}/api.git") == 1
    forges.hosts()
    git("clone", "-q", "--recurse-submodules", f"{GITHUB}/crane.git", "whole")
    expected = {("e.coding.net", f"/finops/gocrane/{name}.git") for name in ("crane", "api")}
    assert forges.hosts() == expected
    whole = tmp_path / "whole"
    git("submodule", "--quiet", "add", "../api.git", "relative", cwd=whole)
    assert forges.hosts() == {("e.coding.net", "/finops/gocrane/api.git")}


def test_pushurl_of_ones_own_is_redirected_unless_it_is_written_otherwise(git: Git, tmp_path: Path) -> None:
    """What the notes warn of: Git does not ask pushInsteadOf about a remote's own pushurl."""
    work = tmp_path / "work"
    git("remote", "add", "origin", f"{GITHUB}/crane.git", cwd=work)
    git("remote", "set-url", "--push", "origin", f"{GITHUB}/crane.git", cwd=work)
    assert git("remote", "get-url", "--push", "origin", cwd=work) == f"{CODING}/crane.git"
    assert any("pushurl" in note for note in configured().notes)
    git("remote", "set-url", "--push", "origin", "git@github.com:gocrane/crane.git", cwd=work)
    assert git("remote", "get-url", "--push", "origin", cwd=work) == "git@github.com:gocrane/crane.git"
