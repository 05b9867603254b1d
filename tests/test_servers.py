"""The servers that other tests talk to, each asked by a client of its own kind."""

from __future__ import annotations

import hashlib
import json
import ssl
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import absent, need
from servers.cluster import cluster
from servers.faults import FAULTS, Base, Fault, fault_server
from servers.git import RAW_PATH, add_refs, git, git_server, make_repository, raw_text, smart_http
from servers.helm import helm, helm_server, index_text, make_charts, versions
from servers.images import FORMS, make_image, push
from servers.listener import syn_hole
from servers.names import Asked, Backend, Broken, public_names
from servers.nginx import busy_front
from servers.process import output_of
from servers.proxy import proxy
from servers.registry import registry
from servers.tls import Authority, make_authority
from servers.tokens import PASSWORD, USER, token_server
from servers.web import after, file, forward, login_page, redirect, routes, status, web
from servers.world import DEAD, STATES, copies, world

REPOSITORY = "gocrane/craned"


def run(*command: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """Run a client to its end, with nothing but its own environment, and give what it printed."""
    own = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/nonexistent"}
    return output_of(*command, environment={**own, **(environment or {})}).strip()


def skopeo_digest(authority: str, *options: str, environment: Mapping[str, str] | None = None) -> str:
    reference = f"docker://{authority}/{REPOSITORY}:main"
    arguments = ["inspect", "--no-tags", "--format", "{{.Digest}}", *options, reference]
    return run(need("skopeo"), *arguments, environment=environment)


def verify_code(error: BaseException | None) -> int:
    """Find OpenSSL's reason in a chain of exceptions."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_code
    return verify_code(error.__cause__ or error.__context__) if error else 0


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize("form", FORMS)
def test_registry_gives_the_digest_that_skopeo_sees(form: str, tmp_path: Path) -> None:
    """All four manifest types can be pushed, and skopeo and httpx see the digest that was computed."""
    image = make_image("v1", form)
    with registry(tmp_path) as server:
        assert server.push(REPOSITORY, "main", image) == image.digest
        assert skopeo_digest(server.authority, "--tls-verify=false") == image.digest
        answer = httpx.get(f"{server.url}/v2/{REPOSITORY}/manifests/main", headers={"Accept": FORMS[form]})
        assert answer.content == image.top.content
        asked = server.requests[-1]
    assert (asked.method, asked.path, asked.status) == ("GET", f"/v2/{REPOSITORY}/manifests/main", 200)


def test_markers_decide_the_digest() -> None:
    """The same marker makes the same bytes, and another marker others on every platform."""
    one, again, other = make_image("a"), make_image("a"), make_image("b")
    assert one == again
    assert set(one.platforms) == {"linux/amd64", "linux/arm64/v8"}
    for platform, manifest in one.platforms.items():
        assert manifest.digest != other.platforms[platform].digest


def test_registry_over_tls(authority: Authority, tmp_path: Path) -> None:
    """The registry shows its certificate, which skopeo takes only when it trusts the authority."""
    image = make_image("v1")
    with registry(tmp_path, certificate=authority.good("127.0.0.1")) as server:
        server.push(REPOSITORY, "main", image)
        trust = {"SSL_CERT_FILE": str(authority.file)}
        assert skopeo_digest(server.authority, environment=trust) == image.digest
        assert server.requests[-1].host == server.authority


def test_registry_with_password(tmp_path: Path) -> None:
    """Without the password there is 401 and a Basic challenge, with it the image."""
    image = make_image("v1")
    with registry(tmp_path, password=True) as server:
        server.push(REPOSITORY, "main", image)
        refused = httpx.get(f"{server.url}/v2/")
        assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, 'Basic realm="test"')
        assert skopeo_digest(server.authority, "--tls-verify=false", "--creds", f"{USER}:{PASSWORD}") == image.digest


def test_registry_with_tokens(tmp_path: Path) -> None:
    """Anonymous clients do the token dance of the challenge, and may pull."""
    image = make_image("v1")
    with token_server(tmp_path / "t") as tokens, registry(tmp_path / "r", tokens=tokens) as server:
        server.push(REPOSITORY, "main", image)
        refused = httpx.get(f"{server.url}/v2/{REPOSITORY}/manifests/main")
        assert refused.status_code == 401
        assert f'realm="{tokens.realm}"' in refused.headers["WWW-Authenticate"]
        assert skopeo_digest(server.authority, "--tls-verify=false") == image.digest
        assert f"scope=repository%3A{REPOSITORY.replace('/', '%2F')}%3Apull" in tokens.requests[-1].path


def test_pull_through_cache_remembers(tmp_path: Path) -> None:
    """A cache gives the digest of its upstream, also when that is down."""
    image = make_image("v1")
    with registry(tmp_path / "origin") as origin:
        origin.push(REPOSITORY, "main", image)
        with registry(tmp_path / "cache", upstream=origin) as cache:
            assert skopeo_digest(cache.authority, "--tls-verify=false") == image.digest
            origin.program.process.terminate()
            origin.program.process.wait(5)
            url = f"{cache.url}/v2/{REPOSITORY}/manifests/main"
            answer = httpx.head(url, headers={"Accept": image.top.media_type})
            assert answer.headers["Docker-Content-Digest"] == image.digest


@pytest.mark.parametrize(
    ("kind", "code"), [("expired", 10), ("wrong_host", 64), ("untrusted", 20)], ids=["expired", "wrong", "untrusted"]
)
def test_bad_certificates_are_bad_in_the_way_they_say(kind: str, code: int, authority: Authority) -> None:
    """OpenSSL refuses each certificate for the reason that it was made for, and takes the good one."""
    names = () if kind == "wrong_host" else ("127.0.0.1",)
    context = ssl.create_default_context(cafile=str(authority.file))
    with web(status(200), certificate=getattr(authority, kind)(*names)) as server:
        with pytest.raises(httpx.ConnectError) as caught:
            httpx.get(server.url, verify=context)
        assert verify_code(caught.value) == code
    with web(status(200), certificate=authority.good("127.0.0.1")) as server:
        assert httpx.get(server.url, verify=context).status_code == 200


def test_web_answers_as_it_is_told() -> None:
    """Statuses, redirects, pages, files with and without HEAD, ranges and packing; and all of it is in the log."""
    table = {
        "/busy": status(429, retry_after=30),
        "/old": redirect("/file"),
        "/login": login_page,
        "/file": file(b"0123456789", packed=True),
        "/simple": file(b"0123456789", head=False, ranges=False),
    }
    with web(routes(table)) as server, httpx.Client(base_url=server.url, follow_redirects=True) as client:
        assert client.get("/busy").headers["Retry-After"] == "30"
        assert client.get("/old").text == "0123456789"
        assert client.get("/login").headers["Content-Type"].startswith("text/html")
        assert client.get("/nothing").status_code == 404
        assert client.get("/file", headers={"Range": "bytes=2-3", "Accept-Encoding": "identity"}).text == "23"
        assert client.head("/file").status_code == 200
        assert client.head("/simple").status_code == 405
        assert client.get("/simple", headers={"Range": "bytes=2-3"}).text == "0123456789"
        assert run(need("curl"), "-sS", "--compressed", f"{server.url}/file") == "0123456789"
        assert [request.path for request in server.requests][:3] == ["/busy", "/old", "/file"]


def test_forward_hands_on_what_the_registry_says(authority: Authority, tmp_path: Path) -> None:
    """A TLS front before a plain registry changes nothing about it, host name and digest included."""
    image = make_image("v1")
    certificate = authority.good("127.0.0.1")
    with registry(tmp_path) as server, web(forward(server.authority), certificate=certificate) as front:
        push(front.authority, REPOSITORY, "main", image, context=certificate.client_context())
        trust = {"SSL_CERT_FILE": str(authority.file)}
        assert skopeo_digest(front.authority, environment=trust) == image.digest
        assert {request.host for request in front.requests} == {front.authority}
        assert {request.host for request in server.requests} == {front.authority}
        errors = httpx.get(f"{server.url}/v2/no/manifests/main").json()["errors"]
        assert json.dumps(errors).count("MANIFEST_UNKNOWN") == 1


def refs(text: str) -> dict[str, str]:
    """Read what `git ls-remote` prints, without peeled tags."""
    lines = [line.split("\t") for line in text.splitlines()]
    return {name: number for number, name in lines if not name.endswith("^{}")}


@pytest.mark.parametrize("version2", [True, False], ids=["v2", "v0"])
def test_git_server_speaks_the_protocol_that_it_is_told_to(version2: bool, tmp_path: Path) -> None:
    """git sees the repository's refs over both protocols, and only v2 asks twice."""
    repository = make_repository(tmp_path / "gocrane" / "crane.git")
    with git_server(tmp_path, version2=version2) as server:
        url = f"{server.url}/gocrane/crane.git"
        found = refs(git("ls-remote", url))
        assert [request.method for request in server.requests] == (["GET", "POST"] if version2 else ["GET"])
        assert server.requests[0].headers["git-protocol"] == "version=2"
        git("clone", "-q", url, tmp_path / "clone")
    assert set(found) == {"HEAD", "refs/heads/dev", "refs/heads/main", *(f"refs/tags/v0.{n}.0" for n in (1, 2, 3))}
    assert found["refs/heads/main"] == git("-C", repository, "rev-parse", "main")
    assert (tmp_path / "clone" / RAW_PATH).read_bytes() == raw_text(3)


def test_repositories_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    """A stale mirror has less of the origin's history, and a diverged one has a commit that the origin never had."""
    names = {"origin": {}, "again": {}, "stale": {"commits": 2}, "forked": {"last": "tampered"}}
    found = {
        name: refs(git("ls-remote", make_repository(tmp_path / name, **options)))  # type: ignore[arg-type]
        for name, options in names.items()
    }
    assert found["again"] == found["origin"]
    assert found["stale"]["refs/tags/v0.2.0"] == found["origin"]["refs/tags/v0.2.0"]
    assert git("-C", tmp_path / "origin", "merge-base", "--is-ancestor", found["stale"]["HEAD"], "main") == ""
    assert found["forked"]["HEAD"] not in git("-C", tmp_path / "origin", "rev-list", "--all")


def test_git_server_with_100_000_refs(tmp_path: Path) -> None:
    """A hundred thousand refs are there a moment later, and git reads them all."""
    repository = make_repository(tmp_path / "crane.git")
    add_refs(repository, 100_000)
    with git_server(tmp_path) as server:
        assert len(refs(git("ls-remote", f"{server.url}/crane.git"))) == 100_006
        peeled = git("ls-remote", f"{server.url}/crane.git", "refs/tags/v0.1.0^{}")
    assert peeled.split()[0] == git("-C", repository, "rev-parse", "dev")


def test_dumb_git_server(tmp_path: Path) -> None:
    """git falls back to the files of the repository, and no answer says that it is one of a Git service."""
    make_repository(tmp_path / "crane.git")
    with git_server(tmp_path, smart=False) as server:
        assert "refs/heads/main" in refs(git("ls-remote", f"{server.url}/crane.git"))
        answer = httpx.get(f"{server.url}/crane.git/info/refs?service=git-upload-pack")
        assert "git-upload-pack" not in answer.headers["Content-Type"]


def test_helm_finds_its_charts(tmp_path: Path) -> None:
    """helm pulls what it has packaged, from the addresses in its own index."""
    make_charts(tmp_path / "charts", {"craned": ["0.9.0", "0.10.0"]})
    with helm_server(tmp_path / "charts") as server:
        (tmp_path / "home").mkdir()
        helm(tmp_path / "home", "pull", "craned", "--repo", server.url, "--version", "0.9.0")
        assert [request.path for request in server.requests] == ["/index.yaml", "/craned-0.9.0.tgz"]
        index = httpx.get(f"{server.url}/index.yaml").text
    pulled = (tmp_path / "home" / "craned-0.9.0.tgz").read_bytes()
    assert hashlib.sha256(pulled).hexdigest() in index


@pytest.mark.parametrize("form", ["yaml", "json"])
def test_helm_reads_an_index_that_only_looks_like_one(form: str, tmp_path: Path) -> None:
    """helm takes an index of many versions for its own, as YAML and as JSON."""
    numbers = versions(120)
    (tmp_path / "index.yaml").write_bytes(index_text({"craned": numbers, "other": ["1.0.0"]}, form=form))
    with helm_server(tmp_path) as server:
        helm(tmp_path, "repo", "add", "test", server.url)
        rows = json.loads(helm(tmp_path, "search", "repo", "test/craned", "--versions", "--output", "json"))
    assert {row["version"] for row in rows} == set(numbers)


def test_index_can_be_huge() -> None:
    """Digests depend on the salt alone, and 20 MB are there in a moment."""
    assert len(index_text({"craned": versions(45_000)})) > 20_000_000
    assert index_text({"a": ["1.0.0"]}) == index_text({"a": ["1.0.0"]}) != index_text({"a": ["1.0.0"]}, salt="x")


PATHS = {"image": f"/v2/{REPOSITORY}/manifests/main", "helm": "/index.yaml", "git": "/a.git/info/refs", "raw": "/a"}

#: What httpx makes of a fault; it has no objection to the others.
ERRORS: dict[str, tuple[type[Exception], ...]] = {
    "refused": (httpx.ConnectError,),
    "syn-unanswered": (httpx.ConnectTimeout,),
    "dns": (httpx.ConnectError,),
    "reset-after-accept": (httpx.ReadError, httpx.ConnectError),
    "reset-in-tls": (httpx.ConnectError,),
    "reset-in-headers": (httpx.ReadError,),
    "reset-in-body": (httpx.ReadError,),
    "silence": (httpx.ReadTimeout, httpx.ConnectTimeout),
    "byte-a-second": (httpx.ReadTimeout,),
    "truncated": (httpx.RemoteProtocolError,),
    "redirect-loop": (httpx.TooManyRedirects,),
    "redirect-to-file": (httpx.UnsupportedProtocol,),
    "huge-header": (httpx.RemoteProtocolError,),
    "content-length-invalid": (httpx.RemoteProtocolError,),
    "control-characters-in-redirect": (httpx.HTTPError, httpx.InvalidURL),
    "tls-expired": (httpx.ConnectError,),
    "tls-wrong-host": (httpx.ConnectError,),
    "tls-untrusted": (httpx.ConnectError,),
    "proxy-refused": (httpx.ConnectError,),
    "proxy-407": (httpx.ProxyError,),
}


#: Faults that make a client wait for ever.
ENDLESS = ("syn-unanswered", "silence", "byte-a-second")


def ask(base: Base, path: str, seconds: float) -> tuple[int, bytes]:
    """Ask as a patient client does, and take the first megabyte."""
    proxy, trusted = (base.environment.get(name) for name in ("HTTPS_PROXY", "SSL_CERT_FILE"))
    context = ssl.create_default_context(cafile=trusted) if trusted else False
    with (
        httpx.Client(verify=context, proxy=proxy, timeout=seconds, follow_redirects=True, trust_env=False) as client,
        client.stream("GET", base.url + path) as response,
    ):
        body = b""
        for chunk in response.iter_raw(65536):
            body += chunk
            if len(body) > 2**20:
                break
        return response.status_code, body


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_faults_are_what_they_say(fault: Fault, tls: bool, authority: Authority, tmp_path: Path) -> None:
    """Each fault makes a client stumble in its own way: for every kind, and for one of them over TLS as well."""
    seconds = 0.3 if fault.name in ENDLESS else 5
    if tls and fault.name == "reset-after-accept":
        return  # Python's ssl sometimes forgets to close a socket that was reset before its handshake began
    kinds = fault.kinds if tls == fault.needs_tls else fault.kinds[:1] if tls else ()
    for kind in kinds:
        with fault_server(fault, kind, tmp_path, tls=tls, authority=authority) as base:
            if fault.name in ERRORS:
                # Within TLS, Python may see no more of a reset than that the connection has ended.
                ended = (httpx.RemoteProtocolError,) if tls and fault.name.startswith("reset") else ()
                with pytest.raises((*ERRORS[fault.name], *ended)):
                    ask(base, PATHS[kind], seconds)
            else:
                code, body = ask(base, PATHS[kind], seconds)
                assert code in (200, 204, 401, 403, 404, 429, 500, 503)
                assert base.requests
                assert fault.name not in ("endless-body", "gzip-bomb") or len(body) > 2**20


def test_faults_are_named_once() -> None:
    """A fault's name is its own, and it knows its cause from that of another."""
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    (refused,) = (fault for fault in FAULTS if fault.name == "refused")
    assert [refused.explains(cause) for cause in ("refused", "timeout", None)] == [True, False, False]


def test_public_names_are_on_loopback(tmp_path: Path) -> None:
    """A wrapped client finds registry, Git server, a fault and a dead host under public names; nobody else does."""
    image = make_image("v1")
    make_repository(tmp_path / "git" / "gocrane" / "crane.git")
    (fault,) = (fault for fault in FAULTS if fault.name == "404")
    with registry(tmp_path / "registry") as server:
        server.push(REPOSITORY, "main", image)
        backends: dict[str, Backend] = {
            "registry-1.docker.io": forward(server.authority),
            "github.com": smart_http(tmp_path / "git"),
            "gitee.com": Broken(fault, "git"),
            "e.coding.net": None,
        }
        with public_names(tmp_path / "names", backends) as names:
            environment = names.environment
            arguments = ["inspect", "--no-tags", "--format", "{{.Digest}}", f"docker://docker.io/{REPOSITORY}:main"]
            assert run(*names.command(need("skopeo"), *arguments), environment=environment) == image.digest
            command = names.command(need("git"), "ls-remote", "https://github.com/gocrane/crane.git")
            assert "refs/tags/v0.3.0" in refs(run(*command, environment=environment))
            curl = ["-s", "-o", "/dev/null", "-w", "%{http_code} %{errormsg}"]
            command = names.command(need("curl"), *curl, "https://gitee.com/x")
            assert run(*command, environment=environment) == "404"
            command = names.command("sh", "-c", 'curl "$@" || true', "curl", *curl, "https://e.coding.net/x")
            assert "Failed to connect" in run(*command, environment=environment)
            assert names.asked[0] == Asked("registry-1.docker.io", "GET", "/v2/")
            assert {asked.host for asked in names.asked} == {"registry-1.docker.io", "github.com"}
            assert "registry-1.docker.io" not in Path("/etc/hosts").read_text(encoding="utf-8")
            (nowhere,) = (fault for fault in FAULTS if fault.name == "dns")
            for backend, error in ((None, "Failed to connect"), (Broken(nowhere, "git"), "Could not resolve")):
                names.change("github.com", backend)
                command = names.command("sh", "-c", 'curl "$@" || true', "curl", *curl, "https://github.com/x")
                assert error in run(*command, environment=environment)


def test_nginx_lets_through_what_it_can(tmp_path: Path) -> None:
    """Before a real registry: 429 with Retry-After once it is too much, 503, and a redirect that leads to the image."""
    image = make_image("v1")
    with registry(tmp_path / "registry") as server, busy_front(tmp_path / "nginx", server.authority) as front:
        server.push(REPOSITORY, "main", image)
        url, path = f"http://{front.authority}", f"/v2/{REPOSITORY}/manifests/main"
        headers = {"Accept": image.top.media_type}
        answers = [httpx.head(url + path, headers=headers) for _ in range(4)]
        assert answers[0].headers["Docker-Content-Digest"] == image.digest
        assert (answers[-1].status_code, answers[-1].headers["Retry-After"]) == (429, "1")
        assert "Retry-After" not in answers[0].headers
        assert httpx.head(f"{url}/down{path}").status_code == 503
        moved = httpx.head(f"{url}/moved{path}", headers=headers, follow_redirects=True)
        assert moved.headers["Docker-Content-Digest"] == image.digest
        assert (moved.history[0].status_code, str(moved.url)) == (302, server.url + path)
        kept = [httpx.head(f"{url}/kept{path}", headers=headers).status_code for _ in range(4)]
        assert kept == [200] * 4
        assert f"HEAD {path} 429" in front.asked


def test_cluster_keeps_what_kubectl_applies(tmp_path: Path) -> None:
    """kubectl applies a policy, changes it, reads and deletes it; one that does not pass the check is refused."""

    def check(policy: Any) -> None:
        if policy["spec"]["background"] is not False:
            raise ValueError("it works in the background")

    file, config, refused = (tmp_path / name for name in ("policy.json", "kubeconfig", "refused.json"))
    policy = {"apiVersion": "kyverno.io/v1", "kind": "ClusterPolicy", "metadata": {"name": "x"}}
    environment = {"KUBECONFIG": str(config), "HOME": str(tmp_path)}
    with cluster(check) as server:
        server.write_kubeconfig(config)
        for rules in ([], [], [{"name": "a"}]):
            file.write_text(json.dumps({**policy, "spec": {"background": False, "rules": rules}}), encoding="utf-8")
            run(need("kubectl"), "apply", "--server-side", "--filename", file, environment=environment)
        refused.write_text(json.dumps({**policy, "spec": {"background": True}}), encoding="utf-8")
        command = ["sh", "-c", '"$@" 2>&1 || true', "sh", need("kubectl"), "apply", "--server-side", "--filename"]
        assert "it works in the background" in run(*command, refused, environment=environment)
        found = json.loads(run(need("kubectl"), "get", "clusterpolicy/x", "--output=json", environment=environment))
        assert (found["spec"]["rules"], found["metadata"]["resourceVersion"]) == ([{"name": "a"}], "2")
        for _ in range(2):
            run(need("kubectl"), "delete", "--ignore-not-found", "--filename", file, environment=environment)
        assert server.policies == {}
        asked = [request.method for request in server.requests if request.method != "GET"]
    assert asked == ["PATCH"] * 4 + ["DELETE"] * 2


@pytest.mark.parametrize("password", [False, True], ids=["open", "password"])
def test_proxy_wants_its_password(password: bool, authority: Authority, tmp_path: Path) -> None:
    """The proxy opens a tunnel for curl, and answers 407 to who has no password."""
    certificate = authority.good("127.0.0.1")
    with proxy(tmp_path, password=password) as server, web(status(204), certificate=certificate) as target:
        curl = [need("curl"), "-sS", "--cacert", str(authority.file), "-w", "%{http_connect} %{http_code}"]
        assert run(*curl, "--proxy", server.url, target.url) == "200 204"
        if password:
            command = ["sh", "-c", '"$@" || true', "sh", *curl, "--proxy", server.bare_url, target.url]
            assert run(*command) == "407 000"
        assert server.asked == [f"CONNECT {target.authority}"] * (1 + password)


def test_world_is_the_built_in_catalogue(tmp_path: Path) -> None:
    """Every address of the catalogue answers as its state says: to skopeo, git and curl, under its public name."""
    with world(tmp_path) as hosts:
        wrapped, environment = hosts.names.command, hosts.names.environment
        addresses = dict(copies())
        assert {key for key in STATES if hosts.state(*key) == STATES[key]} == set(STATES) <= set(addresses)
        assert hosts.state("git", "crane", "gitee") == "dead"

        def digest(key: tuple[str, str, str], tag: str = "main") -> str:
            arguments = ["inspect", "--no-tags", "--format", "{{.Digest}}", f"docker://{addresses[key]}:{tag}"]
            return run(*wrapped(need("skopeo"), *arguments), environment=environment)

        for name in ("craned", "crane-agent"):
            for mirror in ("origin", "coding", "ghcr"):
                fresh = digest(("image", name, mirror)) == make_image(name).digest
                assert fresh == (hosts.state("image", name, mirror) == "fresh")
        stale = ("image", "crane-agent", "coding")
        assert digest(stale) == digest(("image", "crane-agent", "origin"), "main-before")
        heads = {
            (name, mirror): run(*wrapped(need("git"), "ls-remote", url, "main"), environment=environment)
            for (kind, name, mirror), url in addresses.items()
            if kind == "git" and mirror != "gitee"
        }
        for (name, mirror), head in heads.items():
            assert (head == heads[name, "origin"]) == (hosts.state("git", name, mirror) == "fresh")
        curl = [need("curl"), "-sSf"]
        raw = f"https://raw.githubusercontent.com/gocrane/crane/main/{RAW_PATH}"
        assert run(*wrapped(*curl, raw), environment=environment).encode() == raw_text(3).strip()
        raw = f"https://finops.coding.net/p/gocrane/d/api/git/raw/main/{RAW_PATH}?download=false"
        assert run(*wrapped(*curl, raw), environment=environment).encode() == raw_text(2).strip()
        for key in (key for key in addresses if key[0] == "helm"):
            index = run(*wrapped(*curl, f"{addresses[key]}/index.yaml"), environment=environment)
            sees = "page" if "password" in index else "fresh" if "0.11.0" in index else "stale"
            assert hosts.state(*key).endswith(sees)
        assert {asked.host for asked in hosts.names.asked} >= set(hosts.hosts.values()) - set(DEAD)


def test_name_with_a_dead_address_has_a_live_one(tmp_path: Path) -> None:
    """A client that tries IPv4 as well gets its answer, though the first address never answers."""
    with ExitStack() as stack:
        names = stack.enter_context(public_names(tmp_path, {"ghcr.io": status(204)}))
        try:
            stack.enter_context(syn_hole("::1", 443))
        except OSError as error:
            absent(f"there is no IPv6 on loopback: {error}")
        names.extra_hosts.append("::1 ghcr.io")
        curl = [need("curl"), "-sS", "-w", "%{http_code}", "https://ghcr.io/"]
        assert run(*names.command(*curl), environment=names.environment) == "204"
        command = names.command("sh", "-c", '"$@" || true', "sh", *curl, "-6", "--connect-timeout", "0.3")
        assert run(*command, environment=names.environment) == "000"


def test_late_answer_is_late() -> None:
    """An answer can be made to come after others, for races."""
    with web(after(0.1, status(200))) as server:
        started = time.monotonic()
        assert httpx.get(server.url).status_code == 200
        assert time.monotonic() - started >= 0.1


def test_world_can_be_another(tmp_path: Path) -> None:
    """A test chooses what is wrong: a login page before a registry, and copies that are not there."""
    states = {
        ("image", "craned", "ghcr"): "login page",
        ("image", "dashboard", "ghcr"): "missing",
        ("helm", "grafana", "coding"): "missing",
        ("git", "api", "coding"): "missing",
    }
    with world(tmp_path, states=states, dead=("raw.githubusercontent.com",)) as hosts:
        urls = [
            "https://ghcr.io/v2/gocrane/crane/craned/manifests/main",
            "https://ghcr.io/v2/gocrane/crane/dashboard/manifests/main",
            "https://ghcr.io/v2/gocrane/crane/fadvisor/manifests/main-before",
            "https://ghcr.io/v2/",
            "https://finops-helm.pkg.coding.net/gocrane/grafana/index.yaml",
            "https://finops-helm.pkg.coding.net/gocrane/gocrane/index.yaml",
            "https://e.coding.net/finops/gocrane/api.git/info/refs?service=git-upload-pack",
            "https://gitee.com/finops/crane/info/refs?service=git-upload-pack",
            "https://raw.githubusercontent.com/gocrane/crane/main/a",
        ]
        curl = ["sh", "-c", '"$@" || true', "sh", need("curl"), "-s", "-o", "/dev/null", "-w", "%{http_code} "]
        outputs = [arg for _ in urls[1:] for arg in ("-o", "/dev/null")]
        printed = run(*hosts.names.command(*curl, *outputs, *urls), environment=hosts.names.environment)
    assert printed.split() == ["200", "404", "404", "200", "404", "200", "404", "200", "000"]
