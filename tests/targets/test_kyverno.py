"""`config kyverno`: its policy against Kyverno's published schema, and its rule carried out on a table of images.

No Kyverno runs here. What does is as much of it as the rule needs, written from its documentation: variables in double
braces, contexts, preconditions and `foreach`, and JMESPath by the library that JMESPath's author wrote for Python.
"""

from __future__ import annotations

import copy
import importlib
import re
from typing import Any

import pytest
import yaml
from conftest import absent, examples
from hypothesis import given
from hypothesis import strategies as st

from crane_mirrors.catalogue import Catalogue, load, parse
from crane_mirrors.errors import InvalidReference
from crane_mirrors.reference import Reference, Repository
from crane_mirrors.resolve.routes import Choice
from crane_mirrors.targets import Configuration, Options, copies, target_named

TARGET = target_named("kyverno")
CODING = "finops-docker.pkg.coding.net/gocrane/crane"
DIGEST = "sha256:" + "ab" * 32


def module(name: str, package: str) -> Any:
    """Load a module that only these tests take."""
    try:
        return importlib.import_module(name)
    except ImportError:
        absent(f"{package} is not installed")


def catalogue_of(text: str | None) -> Catalogue:
    own = f"version: 1\nregions: {{cn: []}}\nimages:\n{text}"
    return load() if text is None else parse([("built-in", own.encode())])


def configured(text: str | None = None, *mirrors: str) -> Configuration:
    return TARGET.configure(list(copies(catalogue_of(text), TARGET.kinds, Choice(mirrors))), Options())


def policy_of(configuration: Configuration) -> Any:
    (file,) = configuration.files
    return yaml.safe_load(f"# Written by crane-mirrors.\n{file.text}")


class Kyverno:
    """Carries out the mutating rules of a policy on a request for a pod."""

    def __init__(self, policy: Any) -> None:
        self.jmespath = jmespath = module("jmespath", "jmespath")
        self.policy = policy

        text, signature = {"types": ["string"]}, jmespath.functions.signature
        # What Kyverno adds to JMESPath, as far as the policy uses it. Go writes "$1" for a group.
        functions = {
            "_func_regex_replace_all": signature(text, text, text)(
                lambda _, pattern, text, new: re.sub(pattern, re.sub(r"\$(\d)", r"\\\1", new), text)
            ),
            "_func_lookup": signature({"types": ["object"]}, text)(lambda _, table, key: table.get(key)),
            "_func_replace": signature(text, text, text, {"types": ["number"]})(
                lambda _, text, old, new, count: text.replace(old, new, count)
            ),
        }
        self.options = jmespath.Options(custom_functions=type("_", (jmespath.functions.Functions,), functions)())

    def search(self, expression: str, context: dict[str, Any]) -> Any:
        return self.jmespath.search(expression, context, options=self.options)

    def filled(self, value: Any, context: dict[str, Any]) -> Any:
        """Put values in the place of double braces."""
        if isinstance(value, dict):
            return {key: self.filled(item, context) for key, item in value.items()}
        if isinstance(value, list):
            return [self.filled(item, context) for item in value]
        match = re.fullmatch(r"\{\{(.*)\}\}", value)
        return self.search(match[1], context) if match else value

    def variables(self, items: list[Any], context: dict[str, Any]) -> dict[str, Any]:
        for item in items:
            variable = item["variable"]
            value = variable["value"] if "value" in variable else self.search(variable["jmesPath"], context)
            context = {**context, item["name"]: value}
        return context

    def holds(self, condition: dict[str, Any], context: dict[str, Any]) -> bool:
        key, value = (self.filled(condition[part], context) for part in ("key", "value"))
        if condition["operator"] == "NotEquals":
            return bool(key != value)
        assert condition["operator"] == "AnyNotIn"
        return key not in value

    def admitted(self, request: dict[str, Any], kind: str = "Pod") -> dict[str, Any]:
        """Give the pod's specification as the policy would leave it."""
        spec: dict[str, Any] = copy.deepcopy(request["object"]["spec"])
        for rule in self.policy["spec"]["rules"]:
            resources = [item["resources"] for item in rule["match"]["any"]]
            if not any(kind in each["kinds"] and request["operation"] in each["operations"] for each in resources):
                continue
            context = self.variables(rule["context"], {"request": request})
            for each in rule["mutate"]["foreach"]:
                for element in self.search(each["list"], context):
                    inner = self.variables(each["context"], {**context, "element": element})
                    if all(self.holds(condition, inner) for condition in each["preconditions"]["all"]):
                        merge(spec, self.filled(each["patchStrategicMerge"]["spec"], inner))
        return spec


def merge(spec: dict[str, Any], patch: dict[str, Any]) -> None:
    """Merge lists of containers by name, as Kubernetes does."""
    for containers, items in patch.items():
        for item in items:
            (found,) = (each for each in spec[containers] if each["name"] == item["name"])
            found.update(item)


def pod(images: list[str], containers: str = "containers") -> dict[str, Any]:
    items = [{"name": f"c{number}", "image": image} for number, image in enumerate(images)]
    return {"spec": {"containers": [], containers: items}}


def created(kyverno: Kyverno, images: list[str], containers: str = "containers") -> list[str]:
    """Give the images of a new pod as they are once it is admitted, and see that a second time changes nothing."""
    request = {"operation": "CREATE", "object": pod(images, containers)}
    once = kyverno.admitted(request)
    assert kyverno.admitted({"operation": "CREATE", "object": {"spec": once}}) == once
    return [item["image"] for item in once[containers]]


@pytest.mark.parametrize("containers", ["containers", "initContainers"])
def test_every_form_of_the_catalogues_images_is_mirrored_and_nothing_else(containers: str) -> None:
    """Tags and digests are kept; what is on a mirror, and names that merely look alike, stay as they are written."""
    kyverno = Kyverno(policy_of(configured()))
    ends = ["", ":main", f"@{DIGEST}", f":main-abc123@{DIGEST}"]
    hosts = ["", "docker.io/", "index.docker.io/", "registry-1.docker.io/"]
    expected = {f"{host}gocrane/craned{end}": f"{CODING}/craned{end}" for host in hosts for end in ends}
    expected |= {"gocrane/crane-scheduler-controller:v1": f"{CODING}/crane-scheduler-controller:v1"}
    same = [f"{CODING}/craned:main", "ghcr.io/gocrane/crane/craned:main", "gocrane/crane:1", "gocrane/crane-agents:1",
            "gocrane/stress-ng:1", "craned:1", "x.example/gocrane/craned:1", "docker.io:5000/gocrane/craned",
            "gocrane/craned/x:1", "x/gocrane/craned:1", "localhost/gocrane/craned:1", "localhost:5000/gocrane/craned:1",
            "dockerxio/gocrane/craned", "nginx", "nginx:1", "", "'", "{{", "a'b/c", "GOCRANE/craned:1", ":",
            "@"]  # fmt: skip
    expected |= {image: image for image in same}
    assert dict(zip(expected, created(kyverno, list(expected), containers), strict=True)) == expected


PREFIXES = """
  hub: {origin: 'docker.io/*', mirrors: {m: 'ghcr.io/corp/hub/*'}}
  ghcr: {origin: 'ghcr.io/*', mirrors: {m: 'm.example:5000/ghcr/*'}}
  folder: {origin: 'docker.io/bitnami/*', mirrors: {m: 'm.example/b/*', n: 'ghcr.io/n/*'}}
  redis: {origin: bitnami/redis, mirrors: {m: m.example/redis}}
  nested: {origin: docker.io/a/b/c, mirrors: {m: m.example/abc}}
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
    if entry and entry.origin.location == reference.repository:
        best = entry.mirrors[0].location
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
    models = module("cloudcoil.models.kyverno.v1", "cloudcoil.models.kyverno")
    policy = policy_of(configured(text))
    read = models.ClusterPolicy.model_validate(policy)
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) == policy
    policy["spec"]["rules"][0]["mutate"]["forEach"] = []
    read = models.ClusterPolicy.model_validate(policy)
    assert read.model_dump(mode="json", by_alias=True, exclude_unset=True) != policy


def test_large_table_comes_with_a_warning() -> None:
    """A cluster takes no object of more than 1.5 MB."""
    lines = [
        f"  i{number}: {{origin: o/i{number}, mirrors: {{m: m.example/{'x' * 60}/i{number}}}}}\n"
        for number in range(9000)
    ]
    assert "1 MB" in configured("".join(lines)).notes[-1]
    assert "1 MB" not in configured().notes[-1]
