"""Catalogues over each other: where they are found, in which order they count, what each can do; and prefixes."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import CLI

CODING = "finops-docker.pkg.coding.net/gocrane/crane/craned:main"
GHCR = "ghcr.io/gocrane/crane/craned:main"
HUB = "docker.io/gocrane/craned:main"
PROJECT_FILE = ".crane-mirrors.yaml"
HAS_A_PART = "note: {} has a part in this answer (--no-project leaves it out)\n"


@pytest.fixture(autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test a home and folders of its own."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))


def save(file: str | Path, *lines: str) -> str:
    path = Path(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("version: 1", *lines, "")), encoding="utf-8")
    return str(file)


def user_file() -> Path:
    return Path(os.environ["XDG_CONFIG_HOME"], "crane-mirrors", "mirrors.yaml")


def office(place: str) -> str:
    """Give the line of a layer by which craned has a mirror `office` there."""
    return f"images: {{craned: {{mirrors: {{office: {place}}}}}}}"


def craned(cli: CLI, *options: str) -> list[str]:
    """Give all references of craned, best first."""
    ran = cli("image", "craned:main", "--all", "--print", "reference", *options)
    assert ran.code == 0, ran.err
    return ran.out.splitlines()


def rows(cli: CLI, *arguments: str) -> list[dict[str, Any]]:
    ran = cli(*arguments, "--output", "json")
    assert ran.code == 0, ran.err
    found: list[dict[str, Any]] = json.loads(ran.out)["rows"]
    return found


# where layers are found, and their order


def test_order_of_layers(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built-in, the user's, the project's, the environment's, the option's: the later the stronger."""
    # Each takes the office's place over, so the last that is there wins; they are taken away from the top.
    save(user_file(), office("user.example/c"))
    save(PROJECT_FILE, office("project.example/c"))
    environment = os.pathsep.join([save("e1.yaml", office("e1.example/c")), save("e2.yaml", office("e2.example/c"))])
    options = ["-c", save("o1.yaml", office("o1.example/c")), "-c", save("o2.yaml", office("o2.example/c"))]
    monkeypatch.setenv("CRANE_MIRRORS_CATALOGUE", environment)

    def now(*options: str) -> str:
        return next(reference for reference in craned(cli, *options) if "example" in reference)

    assert now(*options) == "o2.example/c:main"
    assert now(*options[:2]) == "o1.example/c:main"
    assert now() == "e2.example/c:main"
    monkeypatch.setenv("CRANE_MIRRORS_CATALOGUE", "e1.yaml")
    assert now() == "e1.example/c:main"
    monkeypatch.delenv("CRANE_MIRRORS_CATALOGUE")
    assert now() == "project.example/c:main"
    Path(PROJECT_FILE).unlink()
    assert now() == "user.example/c:main"
    user_file().unlink()
    assert craned(cli) == [CODING, GHCR, HUB]


def test_user_file_without_xdg(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without XDG_CONFIG_HOME the user's file is below ~/.config."""
    monkeypatch.delenv("XDG_CONFIG_HOME")
    save(Path.home() / ".config" / "crane-mirrors" / "mirrors.yaml", office("user.example/c"))
    assert "user.example/c:main" in craned(cli)


@pytest.mark.parametrize("value", ["config", "./config", "", "~/config"])
def test_a_relative_config_folder_is_ignored(cli: CLI, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """The XDG specification has relative paths ignored: no file is read from wherever a person stands."""
    save(Path(value) / "crane-mirrors" / "mirrors.yaml", office("bad.example/c"))
    save(Path.home() / ".config" / "crane-mirrors" / "mirrors.yaml", office("user.example/c"))
    monkeypatch.setenv("XDG_CONFIG_HOME", value)
    assert [reference for reference in craned(cli) if "example" in reference] == ["user.example/c:main"]


@pytest.mark.parametrize("value", ["cache", "", "."])
def test_a_relative_cache_folder_is_ignored(cli: CLI, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """No cache is written to wherever a person stands; it goes to ~/.cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", value)
    assert craned(cli)
    assert list(Path().iterdir()) == []
    assert list((Path.home() / ".cache" / "crane-mirrors").iterdir())


def test_empty_parts_of_the_environment_are_nothing(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable, and separators too many, name no file."""
    for value in ("", os.pathsep, f"{os.pathsep}{save('e.yaml', 'images:')}{os.pathsep}"):
        monkeypatch.setenv("CRANE_MIRRORS_CATALOGUE", value)
        assert craned(cli) == [CODING, GHCR, HUB]


@pytest.mark.parametrize("where", ["user", "environment", "option"])
def test_a_broken_layer_is_named(cli: CLI, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A layer that is not valid ends the call with its name and position, and exit code 5."""
    name = str(user_file()) if where == "user" else "broken.yaml"
    save(name, "images: 1")
    if where == "environment":
        monkeypatch.setenv("CRANE_MIRRORS_CATALOGUE", name)
    ran = cli("image", "craned", *(["-c", name] if where == "option" else []))
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith(f"crane-mirrors: {name}:2:9: images: ")


@pytest.mark.parametrize("where", ["user", "project", "environment", "option"])
def test_a_file_that_cannot_be_read_is_not_passed_over(cli: CLI, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """A file that is named, or a dangling link where one is looked for, is an error and not nothing."""
    name = {"user": str(user_file()), "project": PROJECT_FILE}.get(where, "gone.yaml")
    if where in ("user", "project"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).symlink_to("gone")
    if where == "environment":
        monkeypatch.setenv("CRANE_MIRRORS_CATALOGUE", name)
    ran = cli("image", "craned", *(["-c", name] if where == "option" else []))
    assert (ran.code, ran.out, ran.err) == (5, "", f"crane-mirrors: {name}: no such file or directory\n")


# the project's file


def test_project_file_up_to_the_root(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a Git repository it is looked for from here up to the repository's root; the nearest counts alone."""
    Path("repo/.git").mkdir(parents=True)
    Path("repo/a/b").mkdir(parents=True)
    save(PROJECT_FILE, office("outside.example/c"))
    monkeypatch.chdir("repo/a/b")
    assert craned(cli) == [CODING, GHCR, HUB]
    save(f"../../{PROJECT_FILE}", office("root.example/c"))
    assert "root.example/c:main" in craned(cli)
    save(f"../{PROJECT_FILE}", "images: {craned: {mirrors: {ghcr: }}}")
    assert craned(cli) == [CODING, HUB]


def test_project_file_outside_of_a_repository(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a repository only this folder is looked at: nobody's file in /tmp may change an answer."""
    save(PROJECT_FILE, office("project.example/c"))
    assert "project.example/c:main" in craned(cli)
    Path("below").mkdir()
    monkeypatch.chdir("below")
    assert craned(cli) == [CODING, GHCR, HUB]


def test_a_worktree_is_a_repository(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a worktree or a submodule `.git` is a file, and marks the root all the same."""
    Path("tree/below").mkdir(parents=True)
    Path("tree/.git").write_text("gitdir: /elsewhere\n", encoding="ascii")
    save(PROJECT_FILE, office("outside.example/c"))
    save(f"tree/{PROJECT_FILE}", office("root.example/c"))
    monkeypatch.chdir("tree/below")
    assert [reference for reference in craned(cli) if "example" in reference] == ["root.example/c:main"]


def test_a_folder_that_is_gone_has_no_project(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the current folder was removed there is no project's file, and the answer comes all the same."""
    Path("gone").mkdir()
    monkeypatch.chdir("gone")
    Path.cwd().rmdir()
    assert craned(cli) == [CODING, GHCR, HUB]


COMMANDS = {
    "image": ("image", "craned:main"),
    "resolve": ("resolve", "gocrane/craned:main"),
}


@pytest.mark.parametrize("command", [pytest.param(command, id=name) for name, command in COMMANDS.items()])
def test_project_that_changes_an_answer_says_so(cli: CLI, command: tuple[str, ...]) -> None:
    """A project's file that changes the answer is named on stderr, and by the rows that come from it."""
    save(PROJECT_FILE, "regions: {cn: [office]}", office("office.example/c"))
    ran = cli(*command, "--print", "reference")
    assert ran == (0, "office.example/c:main\n", HAS_A_PART.format(PROJECT_FILE))
    sources = {row["mirror"]: row["source"] for row in rows(cli, *command)}
    assert sources == {"office": PROJECT_FILE, "coding": "built-in", "ghcr": "built-in", "dockerhub": "built-in"}
    ran = cli(*command, "--print", "reference", "--no-project")
    assert ran == (0, f"{CODING}\n", "")


@pytest.mark.parametrize(
    "layer",
    [
        "regions: {cn: [ghcr]}",
        "images: {craned: {mirrors: {coding: }}}",
        "images: {craned: {mirrors: {coding: evil.example/craned}}}",
        "images: {craned: {origin: evil.example/craned, mirrors: {coding: , ghcr: }}}",
        "images: {craned: {aliases: [c]}}\nbuiltin: true\nregions: {cn: [dockerhub]}",
        "builtin: false\nimages: {craned: {origin: docker.io/gocrane/craned}}",
    ],
)
def test_every_way_to_change_an_answer_is_said(cli: CLI, layer: str) -> None:
    """An order, a mirror taken away or replaced, another origin: whatever changes the best route is said."""
    save(PROJECT_FILE, layer)
    ran = cli("image", "craned:main", "--print", "reference")
    assert ran.code == 0
    assert ran.out != f"{CODING}\n"
    assert ran.err == HAS_A_PART.format(PROJECT_FILE)


@pytest.mark.parametrize(
    "layer",
    [
        "",
        "images: {other: {origin: docker.io/acme/other, mirrors: {office: office.example/other}}}",
        "images: {dashboard: }",
        "regions: {office: [ghcr], global: [ghcr]}",
        "regions: {cn: [coding]}",
        "images: {craned: {aliases: [c]}}",
    ],
)
def test_project_that_changes_nothing_is_silent(cli: CLI, layer: str) -> None:
    """A project's file that has no part in the answer is not mentioned."""
    save(PROJECT_FILE, layer)
    assert cli("image", "craned:main", "--print", "reference") == (0, f"{CODING}\n", "")


def test_an_answer_that_only_the_project_has_is_said(cli: CLI) -> None:
    """What the catalogue would not have without the project's file is the project's."""
    save(PROJECT_FILE, "images: {shop: {origin: ghcr.io/acme/shop, default_tag: x}}")
    ran = cli("image", "shop:1", "--print", "reference")
    assert ran == (0, "ghcr.io/acme/shop:1\n", HAS_A_PART.format(PROJECT_FILE))


MANY = [
    ("list",),
    ("resolve", "gocrane/craned:main", "gocrane/dashboard:main"),
    ("rewrite", "f"),
    ("catalogue", "show"),
]


@pytest.mark.parametrize("command", [pytest.param(command, id=command[0]) for command in MANY])
def test_commands_with_many_answers_say_so_too(cli: CLI, command: tuple[str, ...]) -> None:
    """What is not one answer is the project's when its catalogue is another; a file that says nothing is silent."""
    Path("f").write_text("FROM gocrane/craned:main\n", encoding="ascii")
    save(PROJECT_FILE, "regions: {cn: [ghcr]}")
    ran = cli(*command)
    assert ran.code == 0
    assert ran.err.startswith(f"note: {PROJECT_FILE} has a part in ")
    assert ran.err.count("\n") == 1
    assert cli(*command, "--no-project").err == ""
    save(PROJECT_FILE, "images:")
    assert cli(*command).err == ""


def test_a_project_overruled_is_silent(cli: CLI) -> None:
    """Where a stronger layer puts right what the project's file says, the answer is not the project's."""
    save(PROJECT_FILE, office("project.example/c"))
    ran = cli("image", "craned:main", "--all", "-c", save("mine.yaml", office("mine.example/c")))
    assert ran.code == 0
    assert "mine.example" in ran.out
    assert ran.err == ""


@pytest.mark.parametrize("text", ["nonsense", "version: 1\nimages: 1\n", "\0", "version: 1\nimages: {x: {}}\n"])
def test_no_project_leaves_out_a_broken_file(cli: CLI, text: str) -> None:
    """A project's file that is not valid stops the call, unless --no-project leaves it out."""
    Path(PROJECT_FILE).write_text(text, encoding="utf-8")
    ran = cli("image", "craned:main", "--print", "reference")
    assert (ran.code, ran.out) == (5, "")
    assert PROJECT_FILE in ran.err
    assert cli("image", "craned:main", "--print", "reference", "--no-project") == (0, f"{CODING}\n", "")
    assert cli("catalogue", "validate", "--no-project").code == 0
    assert cli("catalogue", "show", "--no-project").code == 0


def test_a_name_cannot_command_the_terminal(cli: CLI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note shows the path with control characters escaped, and stays one line."""
    Path("repo/.git").mkdir(parents=True)
    save(f"repo/{PROJECT_FILE}", "regions: {cn: [ghcr]}")
    Path("repo/\x1b[2J\n").mkdir()
    monkeypatch.chdir("repo/\x1b[2J\n")
    ran = cli("image", "craned:main", "--print", "reference")
    assert ran == (0, f"{GHCR}\n", HAS_A_PART.format(f"../{PROJECT_FILE}"))


# what a layer can do


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        pytest.param(office("office.example/c"), [CODING, GHCR, HUB, "office.example/c:main"], id="add a mirror"),
        pytest.param(
            "images: {craned: {mirrors: {ghcr: ghcr.io/acme/c}}}",
            [CODING, "ghcr.io/acme/c:main", HUB],
            id="replace a mirror",
        ),
        pytest.param("images: {craned: {mirrors: {coding: }}}", [GHCR, HUB], id="take a mirror away"),
        pytest.param(
            "images: {craned: {mirrors: {nothing: ~}}}", [CODING, GHCR, HUB], id="take away what is not there"
        ),
        pytest.param("images: {craned: {mirrors: }}", [CODING, GHCR, HUB], id="say nothing of mirrors"),
        pytest.param(
            "images: {craned: {origin: quay.io/acme/c}}", [CODING, GHCR, "quay.io/acme/c:main"], id="move the origin"
        ),
        pytest.param("regions: {cn: [ghcr]}", [GHCR, CODING, HUB], id="put a mirror in front"),
        pytest.param("regions: {cn: [dockerhub, ghcr]}", [HUB, GHCR, CODING], id="put several in front"),
        pytest.param("regions: {cn: [origin]}", [HUB, CODING, GHCR], id="put the origin in front"),
        pytest.param("regions: {cn: []}", [CODING, GHCR, HUB], id="no order changes nothing"),
        pytest.param(
            f"regions: {{cn: [ghcr, office]}}\n{office('office.example/c')}",
            [GHCR, "office.example/c:main", CODING, HUB],
            id="a mirror and its place",
        ),
    ],
)
def test_what_a_layer_can_do(cli: CLI, layer: str, wanted: list[str]) -> None:
    """A layer says only what changes; all else stays as it is below."""
    assert craned(cli, "-c", save("m.yaml", layer)) == wanted


def test_keys_of_an_entry_are_replaced_one_by_one(cli: CLI) -> None:
    """Each key that a layer has replaces the one below; the others stay."""
    save("m.yaml", "images: {craned: {default_tag: stable, platforms: [linux/s390x], aliases: [c]}}")
    (row,) = (row for row in rows(cli, "list", "image", "-c", "m.yaml") if row["name"] == "craned")
    assert (row["default_tag"], row["platforms"], row["aliases"]) == ("stable", ["linux/s390x"], ["c"])
    assert [route["mirror"] for route in row["routes"]] == ["coding", "ghcr", "dockerhub"]
    save("n.yaml", "images: {craned: {aliases: []}}")
    (row,) = (row for row in rows(cli, "list", "image", "-c", "m.yaml", "-c", "n.yaml") if row["name"] == "craned")
    assert (row["default_tag"], row["aliases"]) == ("stable", [])


def test_an_entry_is_taken_away_and_put_back(cli: CLI) -> None:
    """An entry without a value is gone, name and places; a layer above can have it anew, with nothing of the old."""
    save("m.yaml", "images: {craned: }")
    assert cli("image", "craned", "-c", "m.yaml").code == 3
    assert cli("image", "docker.io/gocrane/craned", "-c", "m.yaml").code == 3
    save("n.yaml", "images: {craned: {origin: docker.io/gocrane/craned}}")
    assert craned(cli, "-c", "m.yaml", "-c", "n.yaml") == [HUB]


def test_an_entry_is_added_in_each_section(cli: CLI) -> None:
    """A layer adds images, Helm repositories, Git repositories and prefixes of raw files."""
    save(
        "m.yaml",
        "images: {i: {origin: ghcr.io/a/i}}",
        "helm: {h: {origin: https://a.example/h}}",
        "git: {g: {origin: https://a.example/g}}",
        "raw: {r: {origin: https://a.example/r/*}}",
    )
    listed = cli("list", "-c", "m.yaml").out.splitlines()
    assert listed[-4:] == ["image\ti\tghcr", "helm\th\torigin", "git\tg\torigin", "raw\tr\torigin"]


def test_the_builtin_catalogue_is_left_out(cli: CLI) -> None:
    """`builtin: false` in any layer leaves the built-in entries out, whatever order the layers have; regions stay."""
    save("none.yaml", "builtin: false")
    save("m.yaml", "images: {i: {origin: ghcr.io/a/i}}")
    for options in (("-c", "none.yaml", "-c", "m.yaml"), ("-c", "m.yaml", "-c", "none.yaml")):
        assert cli("list", *options).out == "image\ti\tghcr\n"
        assert cli("image", "craned", *options).code == 3
        assert cli("image", "i:1", "--region", "global", *options).code == 0


def test_what_a_person_changed_may_be_left_out(cli: CLI) -> None:
    """A user's own changes to built-in entries do not stand in the way of a layer that leaves those entries out."""
    save(user_file(), "regions: {cn: [office]}", "images: {craned: {mirrors: {office: r.example/c}}, dashboard: }")
    save("m.yaml", "builtin: false", "images: {i: {origin: ghcr.io/a/i}}")
    assert cli("list", "-c", "m.yaml").out == "image\ti\tghcr\n"
    shown = cli("catalogue", "show").out
    Path("shown.yaml").write_text(shown, encoding="ascii")
    assert sorted(cli("catalogue", "show", "-c", "shown.yaml").out) == sorted(shown)


def test_a_mirror_in_an_order_may_be_taken_away(cli: CLI) -> None:
    """A layer that takes the last mirror of a name away does not make an order below invalid."""
    save(user_file(), "regions: {cn: [office]}", office("r.example/c"))
    save(PROJECT_FILE, "images: {craned: {mirrors: {office: }}}")
    assert craned(cli) == [CODING, GHCR, HUB]


def test_a_host_is_of_one_kind(cli: CLI) -> None:
    """Where entries disagree on a host's kind, all lookups of a long run have the same answer: the first one's."""
    layer = "git: {x: {origin: {url: https://gitee.com/a/b, host_kind: coding}}}"
    urls = [f"https://gitee.com/finops/crane/blob/main/{number}" for number in range(20)]
    ran = cli("resolve", *urls, "-c", save("m.yaml", layer))
    assert all(line.startswith("https://finops.coding.net/") for line in ran.out.splitlines())


def test_regions_lie_over_each_other(cli: CLI) -> None:
    """A layer's order goes in front of those below, each in its own order; other regions stay."""
    save("m.yaml", "regions: {cn: [dockerhub], lab: [ghcr]}")
    save("n.yaml", "regions: {cn: [ghcr, gitee], lab: [origin]}")
    over = ("-c", "m.yaml", "-c", "n.yaml")
    assert craned(cli, *over) == [GHCR, HUB, CODING]
    assert craned(cli, "-c", "n.yaml", "-c", "m.yaml") == [HUB, GHCR, CODING]
    assert craned(cli, *over, "--region", "lab") == [HUB, GHCR, CODING]
    assert craned(cli, *over, "--region", "global") == [HUB, GHCR, CODING]
    assert "  cn: [ghcr, gitee, dockerhub, coding, github]\n" in cli("catalogue", "show", *over).out


def test_what_lies_over_each_other_must_fit(cli: CLI) -> None:
    """Two layers that are fine by themselves are refused where they contradict each other, by the upper one's place."""
    save("m.yaml", "images: {i: {origin: ghcr.io/a/i}}")
    save("n.yaml", "images: {j: {origin: ghcr.io/a/j, mirrors: {m: ghcr.io/a/i}}}")
    assert cli("list", "-c", "m.yaml").code == cli("list", "-c", "n.yaml").code == 0
    ran = cli("list", "-c", "m.yaml", "-c", "n.yaml")
    assert ran.code == 5
    assert ran.err.startswith("crane-mirrors: n.yaml:2:")


# prefixes

HUB_PREFIX = """\
regions: {cn: [m], global: [origin]}
images:
  hub: {origin: docker.io/*, mirrors: {m: docker.m.example/*}}
  team: {origin: docker.io/team/*, mirrors: {m: team.m.example/x/*}}
  one: {origin: docker.io/team/one, mirrors: {m: one.m.example/alone}}
  port: {origin: ghcr.io:5000/*, mirrors: {m: port.m.example/*}}
"""
FORGE_PREFIX = """\
regions: {cn: [m], global: [origin]}
git:
  github: {origin: https://github.com/*, mirrors: {m: https://forge.example/hub/*}}
  acme: {origin: https://github.com/acme/*, mirrors: {m: https://acme.example/*}}
raw:
  raw: {origin: https://raw.githubusercontent.com/*, mirrors: {m: https://proxy.example/https://raw.githubusercontent.com/*}}
  acme-raw: {origin: https://raw.githubusercontent.com/acme/*, mirrors: {m: https://acme.example/raw/*}}
"""
RAW = "https://raw.githubusercontent.com"

IMAGES = [
    ("nginx", "docker.m.example/library/nginx:latest"),
    ("nginx:1.27", "docker.m.example/library/nginx:1.27"),
    ("docker.io/bitnami/redis:7", "docker.m.example/bitnami/redis:7"),
    ("index.docker.io/bitnami/redis:7", "docker.m.example/bitnami/redis:7"),
    (f"bitnami/redis@sha256:{64 * 'a'}", f"docker.m.example/bitnami/redis@sha256:{64 * 'a'}"),
    ("docker.io/a/b/c/d:1", "docker.m.example/a/b/c/d:1"),
    # the longest first
    ("team/two:1", "team.m.example/x/two:1"),
    ("docker.io/team/two/three:1", "team.m.example/x/two/three:1"),
    # whole segments
    ("teams/two:1", "docker.m.example/teams/two:1"),
    ("team-x/two:1", "docker.m.example/team-x/two:1"),
    ("library/team:1", "docker.m.example/library/team:1"),
    ("ghcr.io:5000/a/b:1", "port.m.example/a/b:1"),
    # exact before prefix
    ("team/one:1", "one.m.example/alone:1"),
    ("team/one/more:1", "team.m.example/x/one/more:1"),
    ("team/one-more:1", "team.m.example/x/one-more:1"),
    ("gocrane/craned:main", CODING),
    ("gocrane/stress-ng:1", "docker.m.example/gocrane/stress-ng:1"),
]
URLS = [
    ("https://github.com/keda/keda", "https://forge.example/hub/keda/keda"),
    ("https://github.com/keda/keda.git", "https://forge.example/hub/keda/keda.git"),
    ("git@github.com:keda/keda.git", "https://forge.example/hub/keda/keda.git"),
    ("https://github.com/acme/shop.git", "https://acme.example/shop.git"),
    ("https://github.com/acme-labs/shop", "https://forge.example/hub/acme-labs/shop"),
    ("https://github.com/gocrane/api.git", "https://e.coding.net/finops/gocrane/api.git"),
    ("https://github.com/gocrane/crane-x", "https://forge.example/hub/gocrane/crane-x"),
    (f"{RAW}/keda/keda/main/a%20b.txt", f"https://proxy.example/{RAW}/keda/keda/main/a%20b.txt"),
    (f"{RAW}/keda/keda/refs/heads/main/a", f"https://proxy.example/{RAW}/keda/keda/refs/heads/main/a"),
    (f"{RAW}/acme/shop/main/a/b.yaml", "https://acme.example/raw/shop/main/a/b.yaml"),
    (f"{RAW}/acme-labs/shop/main/a", f"https://proxy.example/{RAW}/acme-labs/shop/main/a"),
    (
        f"{RAW}/gocrane/crane/main/README.md",
        "https://finops.coding.net/p/gocrane/d/crane/git/raw/main/README.md?download=false",
    ),
]


@pytest.mark.parametrize(("text", "wanted"), IMAGES)
def test_images_under_a_prefix(cli: CLI, text: str, wanted: str) -> None:
    """By whole segments, an exact entry before any prefix, the longest prefix first; `image` and `resolve` agree."""
    save("m.yaml", HUB_PREFIX)
    assert cli("resolve", text, "--print", "reference", "-c", "m.yaml").out == f"{wanted}\n"
    assert cli("image", text, "--print", "reference", "-c", "m.yaml").out == f"{wanted}\n"


@pytest.mark.parametrize(("text", "wanted"), IMAGES)
def test_images_back_from_a_prefix(cli: CLI, text: str, wanted: str) -> None:
    """The mirror's reference gives the origin's, and itself where the mirror is asked for."""
    save("m.yaml", HUB_PREFIX)
    origin = cli("resolve", text, "-m", "origin", "--print", "reference", "-c", "m.yaml").out
    assert cli("resolve", wanted, "-m", "origin", "--print", "reference", "-c", "m.yaml").out == origin
    assert cli("resolve", wanted, "--print", "reference", "-c", "m.yaml").out == f"{wanted}\n"


@pytest.mark.parametrize(
    "text", ["ghcr.io/a/b:1", "ghcr.io:5001/a/b:1", "docker.m.example:81/a/b:1", "xdocker.m.example/a/b:1"]
)
def test_images_beside_a_prefix(cli: CLI, text: str) -> None:
    """Another port is another registry, and so is a name that only ends or begins alike."""
    save("m.yaml", HUB_PREFIX)
    assert cli("resolve", text, "-c", "m.yaml").code == 3
    assert cli("image", text, "-c", "m.yaml").code == 3


@pytest.mark.parametrize(("text", "wanted"), URLS)
def test_urls_under_a_prefix(cli: CLI, text: str, wanted: str) -> None:
    """The same rules for forges and for raw files behind a proxy; what has an entry of its own goes there."""
    save("m.yaml", FORGE_PREFIX)
    assert cli("resolve", text, "--print", "url", "-c", "m.yaml").out == f"{wanted}\n"


@pytest.mark.parametrize(("text", "wanted"), URLS)
def test_urls_back_from_a_prefix(cli: CLI, text: str, wanted: str) -> None:
    """The mirror's URL gives the origin's, and itself where the mirror is asked for."""
    save("m.yaml", FORGE_PREFIX)
    origin = cli("resolve", text, "-m", "origin", "--print", "url", "-c", "m.yaml").out
    assert origin.startswith(("https://github.com/", f"{RAW}/"))
    assert cli("resolve", wanted, "-m", "origin", "--print", "url", "-c", "m.yaml").out == origin
    assert cli("resolve", wanted, "--print", "url", "-c", "m.yaml").out == f"{wanted}\n"


@pytest.mark.parametrize(
    "text",
    [
        "https://github.com:8443/keda/keda",
        "https://forge.example/hubs/keda/keda",
        "https://github.com/keda/keda/issues/12",
        "https://github.com/keda",
        f"{RAW}:8443/keda/keda/main/a",
    ],
)
def test_urls_beside_a_prefix(cli: CLI, text: str) -> None:
    """Another port, a longer segment, an issue's page, an owner's page: none is a repository under the prefix."""
    save("m.yaml", FORGE_PREFIX)
    assert cli("resolve", text, "-c", "m.yaml").code == 3


@pytest.mark.parametrize(
    ("layer", "text", "wanted"),
    [
        ("images: {p: {origin: DOCKER.io/*, mirrors: {m: M.example:443/*}}}", "a/b:1", "m.example/a/b:1"),
        ("images: {p: {origin: index.docker.io/*, mirrors: {m: m.example/*}}}", "a/b:1", "m.example/a/b:1"),
        ("images: {p: {origin: a/*, mirrors: {m: m.example/*}}}", "docker.io/a/b:1", "m.example/b:1"),
        (
            "git: {p: {origin: 'https://GitHub.com:443/*', mirrors: {m: https://m.example/*}}}",
            "https://github.com/a/b",
            "https://m.example/a/b",
        ),
    ],
)
def test_prefixes_have_one_spelling(cli: CLI, layer: str, text: str, wanted: str) -> None:
    """However a prefix is written, it covers what it names."""
    save("m.yaml", "regions: {cn: [m]}", layer)
    assert cli("resolve", text, "--all", "-c", "m.yaml", "--output", "json").code == 0
    (target,) = (
        row.get("reference") or row["url"] for row in rows(cli, "resolve", text, "-c", "m.yaml") if row["mirror"] == "m"
    )
    assert target == wanted


def test_a_prefix_is_no_image(cli: CLI) -> None:
    """The name of a prefix entry is not the name of a thing; the message says what to do."""
    save("m.yaml", HUB_PREFIX)
    ran = cli("image", "hub", "-c", "m.yaml")
    # A bare name that is no entry's is Docker Hub's own, and that is under the prefix.
    assert ran.out == "docker pull docker.m.example/library/hub:latest\n"
    save("n.yaml", FORGE_PREFIX)
    ran = cli("git", "github", "-c", "n.yaml")
    assert (ran.code, ran.out) == (3, "")
    assert "covers everything under https://github.com/*" in ran.err


def test_the_source_of_a_route_under_a_prefix(cli: CLI) -> None:
    """A route that a prefix made names the file that has the prefix."""
    found = rows(cli, "resolve", "a/b:1", "-c", save("m.yaml", HUB_PREFIX))
    assert {row["mirror"]: row["source"] for row in found} == {"m": "m.yaml", "dockerhub": "m.yaml"}
    assert [row["origin"] for row in found] == [False, True]
