"""Prefix entries: a company's pull-through registry, a proxy for raw files, and a forge of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crane_mirrors.catalogue import parse
from crane_mirrors.resolve.routes import Choice
from crane_mirrors.rewrite.engine import rewrite_stream
from crane_mirrors.rewrite.rules import Rules

if TYPE_CHECKING:
    from crane_mirrors.model import Kind

BUILTIN = (Path(__file__).parent.parent / "data" / "mirrors.yaml").read_bytes()
COMPANY = b"""
version: 1
images:
  hub: {origin: docker.io/*, mirrors: {corp: docker.m.example/*}}
  bitnami: {origin: docker.io/bitnami/*, mirrors: {corp: bitnami.m.example/cache/*}}
raw:
  github-raw:
    origin: https://raw.githubusercontent.com/*
    mirrors: {corp: "https://proxy.example/https://raw.githubusercontent.com/*"}
git:
  github: {origin: https://github.com/*, mirrors: {corp: https://git.corp.example/*}}
"""
CATALOGUE = parse([("built-in", BUILTIN), ("company.yaml", COMPANY)])

M = "docker.m.example"
CASES = [
    # A bare name is an image where nothing else can stand, and where it has a tag or a digest.
    ("image: nginx:1.25", f"image: {M}/library/nginx:1.25"),
    ("  - image: 'acme/web:7'", f"  - image: '{M}/acme/web:7'"),
    ('{"image": "redis:7"}', f'{{"image": "{M}/library/redis:7"}}'),
    ("kubectl run x --image=busybox:1.36", f"kubectl run x --image={M}/library/busybox:1.36"),
    ("initImage: redis:7", "initImage: redis:7"),
    ("FROM python:3.12 AS base", f"FROM {M}/library/python:3.12 AS base"),
    ("FROM --platform=linux/amd64 golang:1.22 AS b", f"FROM --platform=linux/amd64 {M}/library/golang:1.22 AS b"),
    ("from acme/web@sha256:" + "a" * 64, f"from {M}/acme/web@sha256:" + "a" * 64),
    ("docker pull alpine:3.20", f"docker pull {M}/library/alpine:3.20"),
    ("FROM base", "FROM base"),
    ("FROM scratch", "FROM scratch"),
    ("FROM $BASE:1", "FROM $BASE:1"),
    ("image: images/logo.png", "image: images/logo.png"),
    ("image: nginx", "image: nginx"),
    ("image: localhost:5000/x:1", "image: localhost:5000/x:1"),
    ("image: quay.io/x/y:1", "image: quay.io/x/y:1"),
    ("see acme/web:7 and a/b", "see acme/web:7 and a/b"),
    # The longest prefix wins, and an exact entry before any.
    ("image: bitnami/redis:7", "image: bitnami.m.example/cache/redis:7"),
    ("image: docker.io/bitnamilegacy/redis:7", f"image: {M}/bitnamilegacy/redis:7"),
    ("docker.io/library/postgres:16", f"{M}/library/postgres:16"),
    ("image: gocrane/craned:main", "image: gocrane/craned:main"),
    # Files and repositories.
    (
        "curl https://raw.githubusercontent.com/acme/x/main/y.sh",
        "curl https://proxy.example/https://raw.githubusercontent.com/acme/x/main/y.sh",
    ),
    ("git clone https://github.com/acme/x.git", "git clone https://git.corp.example/acme/x.git"),
    ("git clone https://github.com/acme/x", "git clone https://git.corp.example/acme/x"),
    ("https://github.com/gocrane/crane.git", "https://github.com/gocrane/crane.git"),
    ("https://github.com/acme/x/issues/1", "https://github.com/acme/x/issues/1"),
]


def rewritten(text: str, mirror: str) -> str:
    kinds: tuple[Kind, ...] = ("image", "helm", "git", "raw")
    index = Rules(CATALOGUE, dict.fromkeys(kinds, Choice((mirror,)))).index()
    pieces = [text.encode(), b""]
    written: list[bytes] = []
    rewrite_stream(lambda _: pieces.pop(0), written.append, index)
    return b"".join(written).decode()


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_what_a_prefix_covers_is_rewritten_and_nothing_else(text: str, expected: str) -> None:
    """Each line becomes what the company's catalogue says, and a second run changes nothing."""
    assert rewritten(text, "corp") == expected
    assert rewritten(expected, "corp") == expected


@pytest.mark.parametrize(
    "text",
    [
        "docker.io/library/nginx:1.25",
        "FROM docker.io/bitnami/redis:7",
        "https://raw.githubusercontent.com/acme/x/main/y.sh",
        "https://github.com/acme/x.git",
        "https://github.com/acme/x",
    ],
)
def test_the_origin_comes_back(text: str) -> None:
    """What stood in its canonical form is the same after going to the mirror and back."""
    away = rewritten(text, "corp")
    assert away != text
    assert rewritten(away, "origin") == text
