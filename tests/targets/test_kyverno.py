"""`config kyverno`: its policy against Kyverno's published schema, and its rule carried out on a table of images.

No Kyverno runs here; tests/kyverno.py has as much of it as the rule needs. That kubectl takes the policy to a cluster,
and away again, is in tests/test_examples.py.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from conftest import examples
from hypothesis import given
from hypothesis import strategies as st
from kyverno import CODING, DIGEST, Kyverno, built_in_images, created, pod, published_schema

from crane_mirrors.catalogue import Catalogue, load, parse
from crane_mirrors.errors import InvalidReference
from crane_mirrors.reference import Reference, Repository
from crane_mirrors.resolve.routes import Choice, rank
from crane_mirrors.targets import Configuration, Options, copies, target_named

TARGET = target_named("kyverno")


def catalogue_of(text: str | None) -> Catalogue:
    own = f"version: 1\nregions: {{cn: [m, origin]}}\nimages:\n{text}"
    return load() if text is None else parse([("built-in", own.encode())])


def configured(text: str | None = None, *mirrors: str) -> Configuration:
    return TARGET.configure(list(copies(catalogue_of(text), TARGET.kinds, Choice(mirrors))), Options())


def policy_of(configuration: Configuration) -> Any:
    (file,) = configuration.files
    return yaml.safe_load(f"# Written by crane-mirrors.\n{file.text}")


@pytest.mark.parametrize("containers", ["containers", "initContainers"])
def test_every_form_of_the_catalogues_images_is_mirrored_and_nothing_else(containers: str) -> None:
    """Tags and digests are kept; what is on a mirror, and names that merely look alike, stay as they are written."""
    kyverno = Kyverno(policy_of(configured()))
    expected = built_in_images()
    assert dict(zip(expected, created(kyverno, list(expected), containers), strict=True)) == expected


PREFIXES = """
  hub: {origin: 'docker.io/*', mirrors: {m: 'ghcr.io/corp/hub/*'}}
  ghcr: {origin: 'ghcr.io/*', mirrors: {m: 'm.example:5000/ghcr/*'}}
  folder: {origin: 'docker.io/bitnami/*', mirrors: {m: 'm.example/b/*', n: 'ghcr.io/n/*'}}
  redis: {origin: bitnami/redis, mirrors: {m: m.example/redis}}
  nested: {origin: docker.io/a/b/c, mirrors: {m: m.example/abc}}
  stay: {origin: docker.io/a/b, mirrors: {n: ghcr.io/a/b}}
  stay-folder: {origin: 'docker.io/corp/*', mirrors: {n: 'ghcr.io/b/*'}}
"""


def test_prefixes_by_whole_folders_and_the_longest_first() -> None:
    """A single image comes before a folder, and that before a registry; no mirror is mirrored once more."""
    expected = {
        "nginx": "ghcr.io/corp/hub/library/nginx",
        "nginx:1": "ghcr.io/corp/hub/library/nginx:1",
        "docker.io/nginx@" + DIGEST: "ghcr.io/corp/hub/library/nginx@" + DIGEST,
        "docker.io/library/nginx:1": "ghcr.io/corp/hub/library/nginx:1",
        "gocrane/stress-ng": "ghcr.io/corp/hub/gocrane/stress-ng",
        "bitnami/kafka:3": "m.example/b/kafka:3",
        "bitnami/redis:7": "m.example/redis:7",
        "bitnami/redis-cluster:7": "m.example/b/redis-cluster:7",
        "bitnamicharts/x": "ghcr.io/corp/hub/bitnamicharts/x",
        "a/b/c:1": "m.example/abc:1",
        "a/b/d:1": "ghcr.io/corp/hub/a/b/d:1",
        "a/b:1": "a/b:1",
        "a/bc:1": "ghcr.io/corp/hub/a/bc:1",
        "corp/x:1": "corp/x:1",
        "docker.io/corp/x/y:1": "docker.io/corp/x/y:1",
        "ghcr.io/a/b:1": "ghcr.io/a/b:1",
        "ghcr.io/b/c:1": "ghcr.io/b/c:1",
        "ghcr.io/x/y:1": "m.example:5000/ghcr/x/y:1",
        "ghcr.io/corp/hub/library/nginx:1": "ghcr.io/corp/hub/library/nginx:1",
        "ghcr.io/corp/hubble:1": "m.example:5000/ghcr/corp/hubble:1",
        "ghcr.io/n/x:1": "ghcr.io/n/x:1",
        "ghcr.io:5000/x/y": "ghcr.io:5000/x/y",
        "localhost/x:1": "localhost/x:1",
        "quay.io/x/y": "quay.io/x/y",
    }
    kyverno = Kyverno(policy_of(configured(PREFIXES)))
    assert dict(zip(expected, created(kyverno, list(expected)), strict=True)) == expected


PARTS = ["docker.io", "index.docker.io", "ghcr.io", "ghcr.io:5000", "localhost", "a", "b", "c", "corp", "hub", "n",
         "bitnami", "redis", "library", "A"]  # fmt: skip
NAMES = st.lists(st.sampled_from(PARTS), min_size=1, max_size=4).map("/".join)
ENDS = st.sampled_from(["", ":1", ":b", ":1.a_B-", f"@{DIGEST}", f":1@{DIGEST}"])
JUNK = st.lists(st.sampled_from([*PARTS, "", "/", ".", ":", "@", "-", "'", "`", "{{"]), max_size=8).map("".join)


@examples(500)
@given(image=st.builds("{}{}".format, NAMES, ENDS) | JUNK)
def test_policy_agrees_with_the_catalogue(image: str, kyverno: Kyverno, prefixes: Catalogue) -> None:
    """Each image becomes what the catalogue's own rules make of it, and what is no image name does no harm."""
    (found,) = created(kyverno, [image])
    try:
        reference = Reference.parse(image)
    except InvalidReference:
        return
    entry = prefixes.covering("image", str(reference.repository))
    best = rank(prefixes, entry, Choice()).places[0].location if entry else None
    if entry and entry.origin.location == reference.repository != best:
        assert isinstance(best, Repository)
        assert found == str(reference.with_repository(best))
    else:
        assert found == image


@pytest.fixture(scope="module")
def kyverno() -> Kyverno:
    """Give the policy for prefixes."""
    return Kyverno(policy_of(configured(PREFIXES)))


@pytest.fixture(scope="module")
def prefixes() -> Catalogue:
    """Give the catalogue of prefixes."""
    return catalogue_of(PREFIXES)


def test_only_new_containers_of_a_debugged_pod_are_mirrored() -> None:
    """`kubectl debug` adds a container to a pod; those that it has already cannot be changed, so they are not."""
    kyverno = Kyverno(policy_of(configured()))
    old, new = (pod(["gocrane/craned:1", "gocrane/craned:2"][:count], "ephemeralContainers") for count in (1, 2))
    for each in (old, new):
        each["spec"]["containers"] = [{"name": "main", "image": "gocrane/craned:1"}]
    request = {"operation": "UPDATE", "object": new, "oldObject": old}
    spec = kyverno.admitted(request, "Pod/ephemeralcontainers")
    assert [item["image"] for item in spec["ephemeralContainers"]] == ["gocrane/craned:1", f"{CODING}/craned:2"]
    assert spec["containers"] == new["spec"]["containers"]
    del old["spec"]["ephemeralContainers"]
    spec = kyverno.admitted(request, "Pod/ephemeralcontainers")
    assert [item["image"] for item in spec["ephemeralContainers"]] == [f"{CODING}/craned:1", f"{CODING}/craned:2"]
    assert kyverno.admitted(request) == new["spec"]


@pytest.mark.parametrize("text", [None, PREFIXES])
def test_policy_fits_kyvernos_schema(text: str | None) -> None:
    """The models that are generated from Kyverno's CRDs read the policy whole: each key is known, each value valid."""
    check = published_schema()
    policy = policy_of(configured(text))
    check(policy)
    policy["spec"]["rules"][0]["mutate"]["forEach"] = []
    with pytest.raises(ValueError, match="not know"):
        check(policy)


def test_large_table_comes_with_a_warning() -> None:
    """A cluster takes no object of more than 1.5 MB."""
    lines = [
        f"  i{number}: {{origin: o/i{number}, mirrors: {{m: m.example/{'x' * 60}/i{number}}}}}\n"
        for number in range(9000)
    ]
    assert "1 MB" in configured("".join(lines)).notes[-1]
    assert "1 MB" not in configured().notes[-1]
