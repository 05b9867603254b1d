"""Helm repositories in a registry: ``oci://``."""

from __future__ import annotations

from pathlib import Path

import pytest

from crane_mirrors import Choice, resolve_helm, resolve_string
from crane_mirrors.catalogue import parse
from crane_mirrors.rewrite.rules import Rules

BUILTIN = (Path(__file__).parent.parent / "data" / "mirrors.yaml").read_bytes()
OWN = b"""
version: 1
helm:
  charts:
    origin: oci://registry.acme.example/charts
    mirrors: {office: "oci://office.example:5000/mirror/charts", web: https://web.example/charts}
"""
CATALOGUE = parse([("built-in", BUILTIN), ("own.yaml", OWN)])


def test_a_registry_has_no_repository_to_add() -> None:
    """Helm can only pull what is below it; a repository on the web is added."""
    routes = {route.place.name: route for route in resolve_helm(CATALOGUE, "charts").routes}
    assert routes["office"].command == ("helm", "pull", "oci://office.example:5000/mirror/charts")
    assert routes["web"].command == ("helm", "repo", "add", "charts", "https://web.example/charts")


@pytest.mark.parametrize(
    ("text", "kind", "targets"),
    [
        ("oci://registry.acme.example/charts", "helm", ["oci://office.example:5000/mirror/charts"]),
        ("OCI://Registry.Acme.Example:443/charts/", "helm", ["oci://office.example:5000/mirror/charts"]),
        (
            "oci://registry.acme.example/charts/shop:1.2.0",
            "chart",
            ["oci://office.example:5000/mirror/charts/shop:1.2.0"],
        ),
        ("oci://office.example:5000/mirror/charts/shop", "chart", ["oci://office.example:5000/mirror/charts/shop"]),
        ("https://web.example/charts/shop-1.2.0.tgz", "chart", ["https://web.example/charts/shop-1.2.0.tgz"]),
    ],
)
def test_what_is_in_a_registry_stays_in_registries(text: str, kind: str, targets: list[str]) -> None:
    """A chart's tag is never made an archive's address, nor the other way round."""
    answer = resolve_string(CATALOGUE, text, Choice(("office", "web")))
    assert (answer.kind, answer.name) == (kind, "charts")
    assert [answer.best.target] == targets
    if kind == "chart":
        assert {route.target[:4] for route in answer.routes} == {text[:4]}


def test_rewriting_keeps_to_the_same_rule() -> None:
    """A repository may move to the web, a chart's tag may not."""
    rules = Rules(CATALOGUE, dict.fromkeys(("image", "helm", "git", "raw"), Choice(("web",))))
    assert rules.url(b"oci://registry.acme.example/charts/shop:1.2.0") is None
    office = Rules(CATALOGUE, dict.fromkeys(("image", "helm", "git", "raw"), Choice(("office",))))
    there = b"oci://office.example:5000/mirror/charts/shop:1.2.0"
    assert office.url(b"oci://registry.acme.example/charts/shop:1.2.0") == there
