"""As much of Kyverno as the policy of `config kyverno` needs, its published schema, and a table of images.

No Kyverno runs in the tests. What does is written from its documentation: variables in double braces, contexts,
preconditions and `foreach`, and JMESPath by the library that JMESPath's author wrote for Python.

    published_schema()(policy)                                # a ValueError if it does not fit
    expected = built_in_images()
    assert created(Kyverno(policy), list(expected)) == list(expected.values())
"""

from __future__ import annotations

import copy
import importlib
import re
from collections.abc import Callable
from typing import Any

from conftest import absent

CODING = "finops-docker.pkg.coding.net/gocrane/crane"
DIGEST = "sha256:" + "ab" * 32


def module(name: str, package: str) -> Any:
    """Load a module that only these tests take."""
    try:
        return importlib.import_module(name)
    except ImportError:
        absent(f"{package} is not installed")


def published_schema() -> Callable[[Any], None]:
    """Give what refuses a policy that the models which are generated from Kyverno's CRDs do not read whole."""
    models = module("cloudcoil.models.kyverno.v1", "cloudcoil.models.kyverno")

    def check(policy: Any) -> None:
        read = models.ClusterPolicy.model_validate(policy)  # whose error is a ValueError
        if read.model_dump(mode="json", by_alias=True, exclude_unset=True) != policy:
            raise ValueError("Kyverno's schema does not know all of its keys and values")

    return check


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


def built_in_images() -> dict[str, str]:
    """Give images of pods, in each form that the built-in catalogue's can have, and what they become; some stay."""
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
    return expected
