"""`config kustomize` as `kubectl kustomize` reads it: which images of manifests get which names."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import yaml
from conftest import examples, need
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.catalogue import load, parse
from crane_mirrors.reference import Repository
from crane_mirrors.resolve.routes import Choice
from crane_mirrors.targets import Configuration, Options, copies, target_named
from crane_mirrors.targets._cluster import spellings

TARGET = target_named("kustomize")
CODING = "finops-docker.pkg.coding.net/gocrane/crane"
DIGEST = "sha256:" + "ab" * 32


def configured(text: str | None = None, *mirrors: str) -> Configuration:
    own = f"version: 1\nregions: {{cn: []}}\nimages:\n{text}"
    catalogue = load() if text is None else parse([("built-in", own.encode())])
    return TARGET.configure(list(copies(catalogue, TARGET.kinds, Choice(mirrors))), Options())


def rendered(folder: Path, configuration: Configuration, images: list[str]) -> list[str]:
    """Have kubectl render a Deployment with images, through the component, and give the images that come out."""
    (file,) = configuration.files
    component = folder / "component"
    component.mkdir(parents=True)
    (component / file.path).write_text(f"# Written by crane-mirrors.\n{file.text}", encoding="utf-8")
    kustomization = {"resources": ["deployment.yaml"], "components": ["component"]}
    (folder / "kustomization.yaml").write_text(json.dumps(kustomization), encoding="utf-8")
    containers = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    pod = {"containers": containers[::2], "initContainers": containers[1::2]}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
                  "spec": {"template": {"spec": pod}}}  # fmt: skip
    (folder / "deployment.yaml").write_text(json.dumps(deployment), encoding="utf-8")
    process = subprocess.run([need("kubectl"), "kustomize", str(folder)], capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stderr
    spec = yaml.safe_load(process.stdout)["spec"]["template"]["spec"]
    found = {item["name"]: item["image"] for part in spec.values() for item in part}
    return [found[f"c{number}"] for number in range(len(images))]


def test_every_form_of_the_catalogues_images_is_renamed_and_nothing_else(tmp_path: Path) -> None:
    """Tags and digests are kept; other images of the same owner, and names that begin or end the same, stay."""
    ends = ["", ":main", f"@{DIGEST}", f":main-abc123@{DIGEST}"]
    names = [
        "gocrane/craned",
        "docker.io/gocrane/craned",
        "index.docker.io/gocrane/craned",
        "ghcr.io/gocrane/crane/craned",
    ]
    expected = {f"{name}{end}": f"{CODING}/craned{end}" for name in names for end in ends}
    expected |= {
        "ghcr.io/gocrane/crane-scheduler/crane-scheduler-controller:v1": f"{CODING}/crane-scheduler-controller:v1",
        "gocrane/crane-scheduler:v1": f"{CODING}/crane-scheduler:v1",
    }
    same = ["gocrane/craned-x:1", "gocrane/crane:1", "x.example/gocrane/craned:1", "gocrane/stress-ng:1", "craned:1",
            f"{CODING}/craned:main", "ghcr.io/gocrane/craned:1", "ghcr.io:5000/gocrane/crane/craned:1"]  # fmt: skip
    expected |= {image: image for image in same}
    assert dict(zip(expected, rendered(tmp_path, configured(), list(expected)), strict=True)) == expected


def test_mirrors_that_rank_higher_are_not_renamed(tmp_path: Path) -> None:
    """Where GHCR is chosen, Coding's names become GHCR's and GHCR's stay."""
    images = ["gocrane/craned:v1", f"{CODING}/craned:v1", "ghcr.io/gocrane/crane/craned:v1"]
    assert rendered(tmp_path, configured(None, "ghcr"), images) == ["ghcr.io/gocrane/crane/craned:v1"] * 3


def test_dot_of_a_path_is_no_wildcard(tmp_path: Path) -> None:
    """An image whose name has a hyphen where another has a dot is not taken for that."""
    text = "  x: {origin: q.example/a/b.c, mirrors: {m: 'm.example:5000/x.y'}}\n"
    text += "  y: {origin: docker.io/library/b.c, mirrors: {m: m.example/y}}\n"
    text += "  z: {origin: 'r.example:5000/a', mirrors: {m: m.example/z}}\n"
    images = ["q.example/a/b.c:1", "q.example/a/b-c:1", "b.c:1", "b-c:1", "r.example:5000/a:1", "r-example:5000/a:1"]
    expected = ["m.example:5000/x.y:1", images[1], "m.example/y:1", images[3], "m.example/z:1", images[5]]
    assert rendered(tmp_path, configured(text), images) == expected


def test_official_images_have_more_names(tmp_path: Path) -> None:
    """What Docker Hub calls library/nginx is written in four ways."""
    images = ["nginx:1", "library/nginx:1", "docker.io/nginx:1", "docker.io/library/nginx:1", "x/nginx:1"]
    configuration = configured("  nginx: {origin: nginx, mirrors: {m: m.example/nginx}}\n")
    assert rendered(tmp_path, configuration, images) == ["m.example/nginx:1"] * 4 + ["x/nginx:1"]


def test_prefixes_and_ipv6_addresses_are_left_out() -> None:
    """What kustomize cannot rename is told with the targets that can."""
    text = "  hub: {origin: 'docker.io/*', mirrors: {m: 'm.example/*'}}\n"
    text += "  six: {origin: '[::1]:5000/a', mirrors: {m: m.example/a}}\n"
    configuration = configured(text)
    assert configuration.files == ()
    assert [(left.name, left.mirror, left.instead[0]) for left in configuration.left_out] == [
        ("hub", "m", "kyverno"),
        ("six", "m", "kyverno"),
    ]


REPOSITORIES = st.from_regex(
    r"(?:docker\.io|ghcr\.io|r\.example:5000)(?:/[a-z0-9]{1,3}([._-]?[a-z0-9])?){2,3}", fullmatch=True
)


@examples(300)
@given(REPOSITORIES | st.from_regex(r"docker\.io/(?:library|ghcr\.io)/[a-z]{1,3}", fullmatch=True))
def test_each_spelling_means_the_same_image(name: str) -> None:
    """Whatever is said to be a spelling of a repository is read as that repository, and it is among them itself."""
    repository = Repository.parse(name)
    assert {Repository.parse(text) for text in spellings(repository)} == {repository}
    assert {str(repository), repository.familiar} <= set(spellings(repository))


def test_text_is_yaml_of_a_component() -> None:
    """A parser reads the kind, and seven images with four names of Docker Hub and one of GHCR."""
    content = yaml.safe_load(configured().files[0].text)
    assert content["kind"] == "Component"
    assert content["apiVersion"] == "kustomize.config.k8s.io/v1alpha1"
    assert len(content["images"]) == 7 * 6
    assert {tuple(image) for image in content["images"]} == {("name", "newName")}
