"""`fetch`: from where a file comes, when it is taken, and what is on the disk before, while and after."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from conftest import CLI, PROJECT, absent, need
from live.asking import measured
from servers.listener import listening
from servers.process import free_port
from servers.tls import make_authority
from servers.web import Request, Responder, Response, file, login_page, read_request, redirect, status, web
from shop import CONTENT, FILE, NAMES, OTHER, SHA256, Place, opened


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with contextlib.ExitStack() as stack:
        yield opened(Place(tmp_path), stack)


@pytest.fixture
def fetch(cli: CLI, place: Place) -> CLI:
    """`fetch` with the catalogue of those servers."""
    return lambda *words: cli("fetch", *words, "-c", place.catalogue)


def test_to_the_standard_output(fetch: CLI, place: Place) -> None:
    """The best mirror's file is the whole standard output, and the route that was taken is said on stderr."""
    ran = fetch(*FILE)
    url = f"http://{place.authorities['near']}/acme/shop/raw/main/deploy/values.yaml"
    assert (ran.code, ran.out) == (0, CONTENT.decode())
    assert ran.err == f"fetched: 12000 bytes from near, {url}\n"
    assert place.asked == [("near", "/acme/shop/raw/main/deploy/values.yaml")]


def test_to_a_file(fetch: CLI, tmp_path: Path) -> None:
    """The file is there, and nothing else; the standard output is empty."""
    ran = fetch(*FILE, "--output-file", "values.yaml")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("values.yaml: 12000 bytes from near, http://")
    assert left(tmp_path) == {"mirrors.yaml", "values.yaml"}
    assert (tmp_path / "values.yaml").read_bytes() == CONTENT


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        ("http://{origin}/acme/shop/raw/main/a.txt", "/acme/shop/raw/main/a.txt"),
        ("http://{far}/acme/shop/blob/main/a.txt", "/acme/shop/raw/main/a.txt"),
        ("http://{origin}/charts/app-1.0.0.tgz", "/charts/app-1.0.0.tgz"),
    ],
)
def test_a_url_of_a_file_or_a_chart(form: str, asked: str, fetch: CLI, place: Place) -> None:
    """Whatever resolves to a file or a chart's archive can be fetched by any of its addresses."""
    ran = fetch(form.format(**place.authorities))
    assert (ran.code, place.asked) == (0, [("near", asked)])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("http://{origin}/acme/shop.git",), 2, "that is the git 'shop', and no file or chart's archive"),
        (("shop",), 2, "that is the git 'shop'"),
        (("charts",), 2, "that is the helm 'charts'"),
        (("shop", "main"), 2, "REPO REF PATH, or one URL"),
        (("no-such", "main", "a"), 3, "no git 'no-such' in the catalogue"),
        (("https://nowhere.example/a.txt",), 3, "cannot resolve"),
        (("shop", "main", "../a"), 2, "invalid path"),
        ((*FILE, "-m", "coding"), 3, "git 'shop' is not on coding"),
        ((*FILE, "--sha256", "abc"), 2, "64 hexadecimal digits"),
        ((*FILE, "--max-size", "2 T"), 2, "as in 500K, 100M or 2G"),
        ((*FILE, "--timeout", "0"), 2, "0"),
        ((*FILE, "--token-file", "coding"), 2, "HOSTKIND=FILE"),
        ((*FILE, "--token-file", "codnig=x"), 3, "unknown host kind 'codnig'"),
        ((*FILE, "--token-file", "coding=/no/such/file"), 6, "/no/such/file: no such file or directory"),
    ],
)
def test_mistakes(words: tuple[str, ...], code: int, said: str, fetch: CLI, place: Place) -> None:
    """What cannot be fetched is one line with the reason, and no server is asked."""
    ran = fetch(*(word.format(**place.authorities) for word in words))
    assert (ran.code, ran.out, place.asked) == (code, "", [])
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (status(404), "404"),
        (status(429, retry_after=9), "rate limited, retry in 9 s"),
        (login_page, "login page"),
        (redirect("https://sign-in.invalid/{path}"), "dns: "),
        (lambda _: Response(200, {"Content-Length": "20000"}, CONTENT), "timeout"),
    ],
)
def test_the_next_route_when_one_fails(bad: Responder, cause: str, fetch: CLI, place: Place) -> None:
    """A mirror that fails, or answers with a login page, is passed over, with not a byte of its answer kept."""
    place.answers["near"] = bad
    ran = fetch(*FILE, "--timeout", "0.3")
    assert (ran.code, ran.out) == (0, CONTENT.decode())
    assert f" bytes from far, http://{place.authorities['far']}/" in ran.err
    assert f", after near: {cause}" in ran.err


def test_a_mirror_that_is_down(fetch: CLI, place: Place) -> None:
    """Nothing listens there: the next one has it."""
    place.write_catalogue(near=f"127.0.0.1:{free_port()}")
    ran = fetch(*FILE, "-o", "json", "--output-file", "v")
    (row,) = json.loads(ran.out)["rows"]
    assert [(attempt["mirror"], attempt["cause"]) for attempt in row["attempts"]] == [
        ("near", "refused"),
        ("far", None),
    ]


def test_no_route_works(fetch: CLI, place: Place, tmp_path: Path) -> None:
    """When all fail, each is named with its cause, the exit code is 4, and the old file is as it was."""
    place.answers |= {"near": status(404), "far": login_page, "origin": status(503)}
    (tmp_path / "values.yaml").write_bytes(OTHER)
    ran = fetch(*FILE, "--output-file", "values.yaml")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == (
        "crane-mirrors: no route worked: near: 404; far: login page; origin: 503; nothing was written\n"
    ).replace("origin:", "github:")
    assert (tmp_path / "values.yaml").read_bytes() == OTHER
    assert left(tmp_path) == {"mirrors.yaml", "values.yaml"}


def test_only_named_mirrors_are_tried(fetch: CLI, place: Place) -> None:
    """Who names mirrors gets the file from these, or not at all."""
    place.answers["far"] = status(500)
    assert fetch(*FILE, "-m", "far").code == 4
    assert {name for name, _ in place.asked} == {"far"}
    assert fetch(*FILE, "-m", "far", "-m", "origin").code == 0
    assert {name for name, _ in place.asked} == {"far", "origin"}


def test_sha256_chooses_the_route(fetch: CLI, place: Place) -> None:
    """A mirror whose file is another is passed over; what comes out is what was asked for."""
    place.answers["near"] = file(OTHER)
    ran = fetch(*FILE, "--sha256", SHA256.upper())
    assert (ran.code, ran.out) == (0, CONTENT.decode())
    assert f"after near: other content, sha256 {hashlib.sha256(OTHER).hexdigest()}" in ran.err


@pytest.mark.parametrize("origin", [200, 404, 503])
@pytest.mark.parametrize("to_file", [False, True])
def test_sha256_that_nobody_has(origin: int, to_file: bool, fetch: CLI, place: Place, tmp_path: Path) -> None:
    """That is a negative answer if every server has answered, a failure if one could not; nothing is written."""
    for name in NAMES:
        place.answers[name] = file(OTHER)
    if origin != 200:
        place.answers["origin"] = status(origin)
    ran = fetch(*FILE, "--sha256", SHA256, *(["--output-file", "v"] if to_file else []))
    assert (ran.code, ran.out) == (4 if origin == 503 else 1, "")
    assert ran.err.count(hashlib.sha256(OTHER).hexdigest()) == (3 if origin == 200 else 2)
    assert left(tmp_path) == {"mirrors.yaml"}


def test_verify(fetch: CLI, place: Place, tmp_path: Path) -> None:
    """With --verify the origin is asked first, and a mirror that has the same is taken."""
    ran = fetch(*FILE, "--verify", "--output-file", "v", "-o", "json")
    assert ran.code == 0
    assert [name for name, _ in place.asked] == ["origin", "near"]
    (row,) = json.loads(ran.out)["rows"]
    assert (row["mirror"], row["sha256"]) == ("near", SHA256)
    assert (tmp_path / "v").read_bytes() == CONTENT


@pytest.mark.parametrize("to_file", [False, True])
def test_verify_with_a_difference(to_file: bool, fetch: CLI, place: Place, tmp_path: Path) -> None:
    """A mirror that differs from the origin ends it: exit 1, both hashes, nothing written."""
    place.answers["near"] = file(OTHER)
    ran = fetch(*FILE, "--verify", *(["--output-file", "v"] if to_file else []))
    assert (ran.code, ran.out) == (1, "")
    other = hashlib.sha256(OTHER).hexdigest()
    assert ran.err == f"crane-mirrors: near has {other}, the origin {SHA256}; nothing was written\n"
    assert left(tmp_path) == {"mirrors.yaml"}


def test_verify_without_an_origin(fetch: CLI, place: Place) -> None:
    """Where the origin cannot be asked there is nothing to compare with: exit 4, and nothing is written."""
    place.answers["origin"] = status(503)
    ran = fetch(*FILE, "--verify")
    assert (ran.code, ran.out) == (4, "")
    assert ran.err == "crane-mirrors: nothing to compare with: the origin, github, failed: 503\n"


def test_verify_of_the_origin_itself(fetch: CLI, place: Place) -> None:
    """What comes from the origin needs no comparison; if it does not, a mirror could not be compared either."""
    assert fetch(*FILE, "--verify", "-m", "origin", "-m", "near").code == 0
    assert [name for name, _ in place.asked] == ["origin"]
    place.answers["origin"] = status(503)
    assert fetch(*FILE, "--verify", "-m", "origin", "-m", "near").code == 4


def test_verify_and_sha256(fetch: CLI, place: Place) -> None:
    """An origin that does not have what --sha256 says is a difference too."""
    place.answers["origin"] = file(OTHER)
    ran = fetch(*FILE, "--verify", "--sha256", SHA256)
    assert (ran.code, ran.out) == (1, "")
    assert SHA256 in ran.err
    assert hashlib.sha256(OTHER).hexdigest() in ran.err


def test_json(fetch: CLI, place: Place) -> None:
    """The envelope tells the route; it stands on stderr where the file itself is the standard output."""
    place.answers["near"] = status(404)
    ran = fetch(*FILE, "--output", "json", "--output-file", "v")
    urls = {name: f"http://{place.authorities[name]}/acme/shop/raw/main/deploy/values.yaml" for name in NAMES}
    row = {
        "kind": "raw",
        "name": "shop",
        "status": "fetched",
        "mirror": "far",
        "host": place.authorities["far"],
        "url": urls["far"],
        "file": "v",
        "bytes": 12000,
        "sha256": None,
        "attempts": [
            {"mirror": "near", "url": urls["near"], "cause": "404"},
            {"mirror": "far", "url": urls["far"], "cause": None},
        ],
    }
    assert json.loads(ran.out) == {"schema": 1, "command": "fetch", "rows": [row], "errors": []}
    ran = fetch(*FILE, "--output", "json")
    assert ran.out == CONTENT.decode()
    assert json.loads(ran.err)["rows"] == [row | {"file": None}]


def test_json_of_a_failure(fetch: CLI, place: Place) -> None:
    """The envelope has the error and every attempt."""
    place.answers = dict.fromkeys(NAMES, status(404))
    ran = fetch(*FILE, "--output", "json", "--output-file", "v")
    whole = json.loads(ran.out)
    assert (ran.code, whole["errors"][0]["exit_code"]) == (4, 4)
    (row,) = whole["rows"]
    assert (row["status"], row["mirror"], len(row["attempts"])) == ("failed", None, 3)


def test_fastest(fetch: CLI, place: Place) -> None:
    """With --fastest the servers are asked first, and the file comes from one that gave a right answer."""
    place.answers |= {"near": login_page, "origin": status(404)}
    ran = fetch(*FILE, "--fastest", "--max-age", "0s")
    assert (ran.code, ran.out) == (0, CONTENT.decode())
    assert " bytes from far, " in ran.err
    assert "after" not in ran.err
    place.answers["far"] = status(500)
    ran = fetch(*FILE, "--fastest", "--max-age", "0s")
    assert (ran.code, ran.out) == (4, "")
    assert "near: login page" in ran.err


@pytest.mark.parametrize(("limit", "code"), [("12000", 0), ("11999", 4), ("11K", 4), ("12K", 0)])
def test_max_size(limit: str, code: int, fetch: CLI) -> None:
    """A file may have so many bytes, and no more."""
    ran = fetch(*FILE, "--max-size", limit)
    assert ran.code == code
    assert ("larger than" in ran.err) == (code == 4)


def test_no_progress_bar_off_a_terminal(fetch: CLI) -> None:
    """Off a terminal stderr is one line."""
    ran = fetch(*FILE)
    assert len(ran.err.splitlines()) == 1
    assert "\x1b" not in ran.err


@pytest.fixture
def safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The same three servers, over https."""
    authority = make_authority(tmp_path / "ca")
    certificate = authority.good("127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    place = Place(tmp_path)
    with contextlib.ExitStack() as stack:
        for name in NAMES:
            server = stack.enter_context(web(partial(place.respond, name), certificate=certificate))
            place.authorities[name] = server.authority
        place.write_catalogue("https")
        yield place


def test_a_token_goes_to_its_own_kind_of_host(cli: CLI, safe: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in the environment or in a file, is sent over https to hosts of its kind, and is never printed."""
    monkeypatch.setenv("CRANE_MIRRORS_TOKEN_GITEE", "gitees3cret")
    (safe.folder / "token").write_text("githubs3cret\n", encoding="utf-8")
    safe.answers |= {"near": status(403), "far": redirect(f"https://{safe.authorities['origin']}/elsewhere")}
    safe.answers["origin"] = lambda request: (file(CONTENT) if "acme" in request.path else status(401))(request)
    ran = cli("fetch", *FILE, "-c", safe.catalogue, "--token-file", "github=token", "-o", "json")
    assert (ran.code, ran.out) == (0, CONTENT.decode())
    assert [
        (name, headers.get("authorization")) for (name, _), headers in zip(safe.asked, safe.headers, strict=True)
    ] == [
        ("near", "Bearer gitees3cret"),
        ("far", "Bearer gitees3cret"),
        ("origin", None),
        ("origin", "Bearer githubs3cret"),
    ]
    assert "s3cret" not in ran.err


def test_codings_own_word(cli: CLI, safe: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Coding's tokens stand behind a word of its own."""
    catalogue = Path(safe.catalogue)
    text = catalogue.read_text(encoding="utf-8")
    text = re.sub("helm:.*", "", text, flags=re.DOTALL) + (
        f"raw:\n  team:\n    origin: https://team.example/*\n"
        f"    mirrors: {{near: {{url: 'https://{safe.authorities['near']}/*', host_kind: coding}}}}\n"
    )
    catalogue.write_text(text, encoding="utf-8")
    monkeypatch.setenv("CRANE_MIRRORS_TOKEN_CODING", " abc\n")
    assert cli("fetch", "https://team.example/a.yaml", "-c", safe.catalogue).code == 0
    assert safe.headers[0]["authorization"] == "token abc"


def test_no_token_without_https(fetch: CLI, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over http a token would be everybody's; who set it is told."""
    monkeypatch.setenv("CRANE_MIRRORS_TOKEN_GITEE", "s3cret")
    ran = fetch(*FILE)
    assert ran.code == 0
    assert "authorization" not in place.headers[0]
    assert "note: near: no token is sent without https" in ran.err
    assert "s3cret" not in ran.err


def test_no_token_for_a_host_that_a_repository_named(cli: CLI, safe: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue that came with somebody's repository cannot make its own server a kind of host that has a token."""
    monkeypatch.setenv("CRANE_MIRRORS_TOKEN_GITEE", "s3cret")
    safe.write_catalogue("https", ".crane-mirrors.yaml")
    monkeypatch.chdir(safe.folder)
    ran = cli("fetch", *FILE)
    assert ran.code == 0
    assert "authorization" not in safe.headers[0]
    assert "no token is sent to 127.0.0.1, which .crane-mirrors.yaml alone calls gitee" in ran.err


@pytest.mark.parametrize("token", ["two words", "line\nbreak: x", "t\u00f6ken", "x" * 9000])
def test_a_token_that_is_none(token: str, cli: CLI, safe: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be another header, or none, is refused without being shown."""
    monkeypatch.setenv("CRANE_MIRRORS_TOKEN_GITEE", token)
    ran = cli("fetch", *FILE, "-c", safe.catalogue)
    assert (ran.code, safe.asked) == (2, [])
    assert ran.err == "crane-mirrors: CRANE_MIRRORS_TOKEN_GITEE holds no token: that is one word of ASCII characters\n"


# What is on the disk


def test_an_old_file_keeps_its_mode(fetch: CLI, tmp_path: Path) -> None:
    """The new contents come into the old file's place, mode and owner included; a new file gets the umask's mode."""
    old = tmp_path / "old"
    old.write_bytes(OTHER)
    old.chmod(0o604)
    before = os.umask(0o027)
    try:
        assert fetch(*FILE, "--output-file", "old").code == fetch(*FILE, "--output-file", "new").code == 0
    finally:
        os.umask(before)
    assert (old.read_bytes(), old.stat().st_mode & 0o777) == (CONTENT, 0o604)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_stays_one(there: bool, fetch: CLI, tmp_path: Path) -> None:
    """The file that a link names is replaced, or made, where it is; the link is as it was."""
    (tmp_path / "else").mkdir()
    if there:
        (tmp_path / "else" / "file").write_bytes(OTHER)
    (tmp_path / "link").symlink_to("else/file")
    assert fetch(*FILE, "--output-file", "link").code == 0
    assert os.readlink(tmp_path / "link") == "else/file"
    assert (tmp_path / "else" / "file").read_bytes() == CONTENT
    assert left(tmp_path / "else") == {"file"}


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("folder", "folder: that is a folder; name a file, nothing was written"),
        ("folder/", "folder/: that is a folder; name a file, nothing was written"),
        ("nowhere/", "nowhere/: that is a folder; name a file, nothing was written"),
        ("", ": that is a folder"),
        ("/dev/null", "/dev/null: that is no regular file"),
        ("no/such/file", "no/such/file: no such folder; make it first"),
        ("file/below", "file/below: not a directory"),
        ("n" * 300, "file name too long"),
        ("loop", "loop: too many levels of symbolic links"),
    ],
)
def test_what_stands_in_the_way(path: str, said: str, fetch: CLI, place: Place, tmp_path: Path) -> None:
    """A place that cannot hold the file is one clear line, exit 6, before any server is asked."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(OTHER)
    (tmp_path / "loop").symlink_to("loop")
    ran = fetch(*FILE, "--output-file", path)
    assert (ran.code, ran.out, place.asked) == (6, "", [])
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_part_that_is_not_ours(fetch: CLI, tmp_path: Path) -> None:
    """What somebody put where the beginning of a download would be is not written to, nor what it points to."""
    assert fetch(*FILE, "--output-file", "v", "--sha256", "0" * 64).code == 1
    victim = tmp_path / "victim"
    victim.write_bytes(OTHER)
    (tmp_path / "v").unlink(missing_ok=True)
    part = part_of(tmp_path)
    part.symlink_to("victim")
    ran = fetch(*FILE, "--output-file", "v")
    assert (ran.code, victim.read_bytes()) == (6, OTHER)
    part.unlink()
    os.link(victim, part)
    ran = fetch(*FILE, "--output-file", "v")
    assert (ran.code, victim.read_bytes()) == (6, OTHER)
    assert "not ours, and in the way" in ran.err


def part_of(folder: Path) -> Path:
    """Find out what the part of `v` is called."""
    from crane_mirrors.cli._part import PartFile

    catalogue = (folder / "mirrors.yaml").read_text(encoding="utf-8")
    near = re.search('near: {url: "([^"]*)"', catalogue)
    assert near
    with PartFile(str(folder / "v"), f"{near[1]}/raw/main/deploy/values.yaml") as part:
        (name,) = (name for name in left(folder) if name.endswith(".part"))
    assert part.length == 0
    return folder / name


def test_disk_full(place: Place, tmp_path: Path) -> None:
    """A file that does not fit is exit 6, and leaves neither itself nor a part of it; the old one is as it was."""
    (tmp_path / "v").write_bytes(OTHER)
    process = start(place, *FILE, "--output-file", "v", limit=5000)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (6, "crane-mirrors: v: file too large; nothing was written\n")
    assert left(tmp_path) == {"mirrors.yaml", "v"}
    assert (tmp_path / "v").read_bytes() == OTHER


@pytest.mark.parametrize("where", ["--output-file", "TMPDIR"])
def test_no_space_left(where: str, fetch: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is a file system that is full, be it the file's or that of temporary files."""
    folder = tmp_path / "small"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with mounted(folder, "size=8k"):
        ran = fetch(*FILE, *(["--output-file", "small/v"] if where == "--output-file" else []))
        assert left(folder) == set()
    assert (ran.code, ran.out) == (6, "")
    assert "no space left on device" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_full_standard_output(place: Place) -> None:
    """A standard output that takes nothing is exit 6, and one that is closed early is no error."""
    with open("/dev/full", "wb") as full:
        process = start(place, *FILE, stdout=full.fileno())
        assert (
            process.communicate(timeout=20)[1].splitlines()[-1].startswith("crane-mirrors: cannot write the output: no")
        )
        assert process.returncode == 6
    process = start(place, *FILE, stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.close()
    process.stdout = None
    process.communicate(timeout=20)
    assert process.returncode == 0


def test_read_only(fetch: CLI, tmp_path: Path, place: Place) -> None:
    """A folder that cannot be written to is exit 6, before any server is asked."""
    folder = tmp_path / "closed"
    folder.mkdir()
    with closed_to_us(folder):
        ran = fetch(*FILE, "--output-file", "closed/v")
    assert (ran.code, place.asked) == (6, [])
    assert ran.err == "crane-mirrors: closed/v: the folder cannot be written to; nothing was written\n"


@contextlib.contextmanager
def closed_to_us(folder: Path) -> Iterator[None]:
    if os.geteuid() != 0:
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)
        return
    with mounted(folder, "ro"):  # root may write anywhere but there
        yield


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    mount = [need("mount"), "-t", "tmpfs", "-o", options, "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        absent("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run([need("umount"), str(folder)], check=True)


def start(
    place: Place, *words: str, limit: int | None = None, stdout: int | None = None, program: str = ""
) -> subprocess.Popen[str]:
    def prepare() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    python = ["-c", program] if program else ["-m", "crane_mirrors"]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT / "src"), "CRANE_MIRRORS_NO_CACHE": "1"}
    return subprocess.Popen(
        [sys.executable, "-P", *python, "fetch", *words, "-c", place.catalogue],
        cwd=place.folder,
        # What measures coverage could not write its own file, either.
        env={name: value for name, value in environment.items() if not (limit and name.startswith("COVERAGE_"))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    )


@contextlib.contextmanager
def halting(place: Place, etag: str = '"one"', times: int = 1) -> Iterator[list[Request]]:
    """Let the near server stop at half of the file, so many times, and go on from where it is asked then."""
    asked: list[Request] = []
    head = f"ETag: {etag}\r\n" if etag else ""

    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            request = read_request(connection, stream)
            assert request
            asked.append(request)
            start = int(request.headers.get("range", "bytes=0-")[6:-1])
            state = f"206 P\r\nContent-Range: bytes {start}-11999/12000" if start else "200 OK"
            answer = f"HTTP/1.1 {state}\r\n{head}Content-Length: {len(CONTENT) - start}\r\n\r\n".encode()
            connection.sendall(answer + (CONTENT[start:] if len(asked) > times else CONTENT[start:6000]))
            connection.recv(1)

    with listening(handle) as server:
        place.write_catalogue(near=server.authority)
        yield asked


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9), (signal.SIGTERM, -15)])
@pytest.mark.parametrize("etag", ['"one"', ""])
def test_an_interrupted_download_is_continued(
    number: signal.Signals, code: int, etag: str, fetch: CLI, place: Place, tmp_path: Path
) -> None:
    """Whatever ends it, the old file is there; the next run continues where the server can tell the bytes apart."""
    (tmp_path / "v").write_bytes(OTHER)
    with halting(place, etag) as asked:
        process = start(place, *FILE, "--output-file", "v")
        limit = time.monotonic() + 20
        while not any(path.stat().st_size == 6000 for path in tmp_path.glob(".v.*")) and time.monotonic() < limit:
            time.sleep(0.01)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
        assert (process.returncode, out, "Traceback" in err) == (code, "", False)
        assert (tmp_path / "v").read_bytes() == OTHER
        assert len(left(tmp_path)) == (3 if etag or number != signal.SIGINT else 2)
        assert fetch(*FILE, "--output-file", "v").code == 0
    assert [request.headers.get("range") for request in asked] == [None, "bytes=6000-" if etag else None]
    assert (tmp_path / "v").read_bytes() == CONTENT
    assert left(tmp_path) == {"mirrors.yaml", "v"}


def test_a_file_that_became_shorter(fetch: CLI, place: Place, tmp_path: Path) -> None:
    """Of a beginning that is of no use any more nothing stays, even if it was longer than the whole is now."""
    with halting(place, times=9) as asked:
        assert fetch(*FILE, "--output-file", "v", "-m", "near", "--timeout", "0.2").code == 4
        (part,) = tmp_path.glob(".v.*")
        assert part.stat().st_size == 6000
        near = asked[0].host
    with web(lambda _: Response(200, {"ETag": '"two"'}, OTHER), port=int(near.rpartition(":")[2])):
        assert fetch(*FILE, "--output-file", "v", "-m", "near").code == 0
    assert (tmp_path / "v").read_bytes() == OTHER


def test_another_routes_beginning_is_not_used(fetch: CLI, place: Place, tmp_path: Path) -> None:
    """What came from one mirror is never continued with another's bytes, and is gone when the file is whole."""
    with halting(place, times=9):
        assert fetch(*FILE, "--output-file", "v", "-m", "near", "--timeout", "0.2").code == 4
        assert len(left(tmp_path)) == 2
        assert fetch(*FILE, "--output-file", "v", "-m", "far").code == 0
    assert "range" not in place.headers[0]
    assert (tmp_path / "v").read_bytes() == CONTENT
    assert left(tmp_path) == {"mirrors.yaml", "v"}


def test_two_runs_at_once(fetch: CLI, place: Place, tmp_path: Path) -> None:
    """A second run does not write into the first one's beginning: it says so and leaves."""
    with halting(place):
        process = start(place, *FILE, "--output-file", "v")
        limit = time.monotonic() + 20
        while not any(path.stat().st_size for path in tmp_path.glob(".v.*")) and time.monotonic() < limit:
            time.sleep(0.01)
        ran = fetch(*FILE, "--output-file", "v")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert (ran.code, ran.err) == (
        6,
        "crane-mirrors: v: another run is writing it; wait for that, or name another file\n",
    )


#: Kills itself right before the call of the number in its first argument that changes something on the disk.
KILLED = """
import os, signal, sys
number = int(os.environ["KILL_BEFORE"])
def counted(function):
    def call(*arguments, **named):
        global number
        number -= 1
        if number < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **named)
    return call
from crane_mirrors.cli import main, _owner, _part
import fcntl
class Counted:
    def __getattr__(self, name):
        real = getattr(os, name)
        return counted(real) if name in ("open", "write", "replace", "unlink", "ftruncate", "fchmod", "close") else real
_part.os = _owner.os = Counted()
sys.exit(main())
"""


def test_a_new_file_is_not_cut(fetch: CLI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ext4 writes a file that was cut to nothing to the disk when it is closed, which would take as long again."""
    monkeypatch.setattr(os, "ftruncate", lambda *_: pytest.fail("cut"))
    assert fetch(*FILE, "--output-file", "v").code == 0
    assert (tmp_path / "v").read_bytes() == CONTENT


def test_a_kill_at_any_point(fetch: CLI, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed before any change to the disk, it leaves the old file or the new one, and the next run cleans up."""
    target = tmp_path / "v"
    etag = {"ETag": '"one"'}
    place.answers["near"] = lambda _: Response(200, etag, CONTENT)
    seen = set()
    for number in range(100):
        target.write_bytes(OTHER)
        monkeypatch.setenv("KILL_BEFORE", str(number))
        process = start(place, *FILE, "--output-file", "v", program=KILLED)
        _, err = process.communicate(timeout=20)
        content = target.read_bytes()
        assert content in (OTHER, CONTENT)
        seen.add(content)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL, err
        assert fetch(*FILE, "--output-file", "v").code == 0
        assert target.read_bytes() == CONTENT
        assert left(tmp_path) == {"mirrors.yaml", "v"}
    assert number >= 6
    assert seen == {OTHER, CONTENT}


def on_terminal(place: Place, stream: str) -> tuple[int, str, str]:
    """Run the program with a terminal as its stdout or stderr; give the exit code, what that shows, and the other."""
    leader, follower = os.openpty()
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | {stream: follower}
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "crane_mirrors", "fetch", *FILE, "-c", place.catalogue],
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src"), "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        **streams,  # type: ignore[call-overload]
    )
    os.close(follower)
    out, err = process.communicate(timeout=20)
    shown = b""
    with contextlib.suppress(OSError):
        while piece := os.read(leader, 65536):
            shown += piece
    os.close(leader)
    return process.returncode, shown.decode(), (err if stream == "stdout" else out).decode()


def test_progress_on_a_terminal(place: Place) -> None:
    """On a terminal there is a progress bar on stderr, and none of it on the standard output."""
    place.answers["near"] = file(CONTENT * 100)
    code, shown, out = on_terminal(place, "stderr")
    assert (code, out) == (0, CONTENT.decode() * 100)
    assert "1.2/1.2 MB" in shown
    assert "1200000 bytes from near" in shown


@pytest.mark.parametrize("content", ["plain\ttext ü\n", "", "\x1b[2J", "a\x00b", "\x9b31m"])
def test_to_a_terminal(content: str, place: Place) -> None:
    """A terminal gets text, and nothing that it would obey."""
    place.answers["near"] = file(content.encode())
    code, shown, err = on_terminal(place, "stdout")
    if content.isprintable() or "plain" in content:
        assert (code, shown) == (0, content.replace("\n", "\r\n"))
    else:
        assert (code, shown) == (2, "")
        assert "the file has control characters" in err


def test_memory(place: Place, tmp_path: Path) -> None:
    """A file of any length takes little memory, and comes out whole."""
    piece, pieces = bytes(range(256)) * 4096, 200

    def handle(connection: socket.socket) -> None:
        with connection.makefile("rb") as stream:
            if read_request(connection, stream):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(piece) * pieces))
                for _ in range(pieces):
                    connection.sendall(piece)

    with listening(handle) as server:
        place.write_catalogue(near=server.authority)
        words = ("--output-file", str(tmp_path / "v"), "--sha256", repeated(piece, pieces), "-c", place.catalogue)
        ran, megabytes = measured("fetch", *FILE, *words)
    assert ran.code == 0
    assert (tmp_path / "v").stat().st_size == len(piece) * pieces
    assert megabytes < 100


def repeated(piece: bytes, pieces: int) -> str:
    digest = hashlib.sha256()
    for _ in range(pieces):
        digest.update(piece)
    return digest.hexdigest()
