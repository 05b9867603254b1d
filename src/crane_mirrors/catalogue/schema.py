"""The JSON Schema of a catalogue file: what an editor can know of it.

It allows all that the loader allows, and refuses what can be refused without the layers below. Values are typed by
what an editor's YAML parser makes of them: the loader takes ``1.10`` as a tag, so here a tag may be a number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crane_mirrors import hosts, reference
from crane_mirrors.catalogue.layer import NAME, SECTIONS, WORD

if TYPE_CHECKING:
    from crane_mirrors.model import Kind

    Schema = dict[str, Any]

__all__ = ["schema"]

# Written in what JavaScript's regular expressions, with the flag "u", and Python's have in common.
_REGISTRY = rf"(?:{reference._DOMAIN.replace('a-z', 'A-Za-z')}|\[[0-9A-Fa-f:]+\])(?::[0-9]+)?"
_REFERENCE = rf"(?:{_REGISTRY}/)?{reference._PATH}(?:/\*)?|{_REGISTRY}/\*"
_NEVER = r'\u0000-\u0020\u007f-\u00a0"<>\\^`{|}\u2028\u2029'
_SERVER = rf"[Hh][Tt][Tt][Pp][Ss]?://(?:[^{_NEVER}/?#@:*\[\]]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{{0,5}})?"
_ADDRESS = rf"{_SERVER}(?:/(?:[^{_NEVER}?#%*]|%[0-9A-Fa-f]{{2}})*)?(?:\?[^{_NEVER}#*]*)?"
_HELM = _ADDRESS.replace("[Hh][Tt][Tt][Pp][Ss]?", "(?:[Hh][Tt][Tt][Pp][Ss]?|[Oo][Cc][Ii])")
_PAGE = rf"{_SERVER}(?:/(?:[^{_NEVER}?#%]|%[0-9A-Fa-f]{{2}})*)?(?:[?#][^{_NEVER}]*)?"

_SECTIONS: dict[Kind, str] = {
    "image": "Container images by name.",
    "helm": "Helm repositories by name.",
    "git": "Git repositories by name; raw files of a host that is known come with them.",
    "raw": "Prefixes of URLs of raw files, for a proxy, by name.",
}

_EXAMPLES: list[Schema] = [
    {
        "version": 1,
        "builtin": False,
        "regions": {"cn": ["office"]},
        "images": {
            "shop": {
                "origin": "ghcr.io/acme/shop",
                "default_tag": "stable",
                "platforms": ["linux/amd64", "linux/arm64"],
                "mirrors": {"office": "registry.office.example:5000/shop"},
            }
        },
        "git": {
            "shop": {
                "origin": {"url": "https://github.com/acme/shop.git", "page": "https://github.com/acme/shop"},
                "synced": "1d",
                "mirrors": {"office": {"url": "https://git.office.example/acme/shop.git", "host_kind": "gitee"}},
            }
        },
    },
    {"version": 1, "images": {"hub": {"origin": "docker.io/*", "mirrors": {"office": "docker.office.example/*"}}}},
    {"version": 1, "images": {"craned": {"mirrors": {"ghcr": None}}, "dashboard": None}},
]


def schema() -> Schema:
    """Give the schema in the dialect of draft 2020-12, as values for ``json.dumps``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:crane-mirrors:catalogue:1",
        "title": "Catalogue of crane-mirrors",
        "description": "Where things have their origin and their mirrors. It is laid over the catalogues below it.",
        "type": "object",
        "required": ["version"],
        "additionalProperties": False,
        "properties": {
            "version": {"description": "The version of this format.", "enum": [1, "1"]},
            "builtin": {
                "description": "Whether to keep the built-in entries.",
                "enum": [True, False, "true", "false"],
                "default": True,
            },
            "regions": _regions(),
            **{section: _section(kind) for section, kind in SECTIONS.items()},
        },
        "$defs": {
            **{kind: _entry(kind) for kind in SECTIONS.values()},
            **{f"{kind}-place": _place(kind) for kind in SECTIONS.values()},
        },
        "examples": _EXAMPLES,
    }


def _regions() -> Schema:
    return _mapping(
        "The order of mirrors for each region; it goes in front of the order below.",
        WORD,
        _list("Names of mirrors, or host kinds of origins, best first.", _text(WORD)),
    )


def _section(kind: Kind) -> Schema:
    return _mapping(f"{_SECTIONS[kind]} An entry without a value is taken away.", NAME, {"$ref": f"#/$defs/{kind}"})


def _entry(kind: Kind) -> Schema:
    place = {"$ref": f"#/$defs/{kind}-place"}
    mirrors = _mapping("The copies by name. One without a value is taken away.", WORD, place)
    mirrors["propertyNames"]["not"] = {"enum": ["origin", "generic"]}
    present = [name for name in _place(kind)["type"] if name != "null"]
    keys = {
        "origin": {"description": "Where the original is.", "type": present, **place},
        "mirrors": mirrors,
        "aliases": _list("Other names.", _text(NAME)),
        "default_tag": {"description": "The tag when none is given.", **_text(reference._TAG)},
        "platforms": _list(
            "What the image is built for.",
            {"type": "string", **_pattern("[a-z0-9]+/[a-z0-9_-]+(?:/v[0-9]+)?"), "examples": ["linux/amd64"]},
        ),
        "synced": {
            "description": "How often the mirrors are synchronised.",
            "type": "string",
            **_pattern("[1-9][0-9]{0,5}[smhd]"),
            "examples": ["6h", "1d"],
        },
    }
    others = {"image": {"synced"}, "raw": {"aliases", "default_tag", "platforms", "synced"}}
    unknown = others.get(kind, {"default_tag", "platforms"})
    return {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {key: value for key, value in keys.items() if key not in unknown},
    }


def _place(kind: Kind) -> Schema:
    """Describe both forms of a place at once, so that an editor need not guess which one was meant."""
    key = "reference" if kind == "image" else "url"
    prefix = r"/\*" if kind == "raw" else r"(?:/\*)?"
    url = _HELM if kind == "helm" else _ADDRESS
    address = _text(_REFERENCE) if kind == "image" else {"type": ["string"], **_pattern(url + prefix)}
    return {
        "description": "An address, or a mapping with more. One that ends in '/*' covers all that is below.",
        **address,
        "type": [*address["type"], "object", "null"],
        "required": [key],
        "additionalProperties": False,
        "properties": {
            key: {"description": "The address, as it would be pasted.", **address},
            "page": {"description": "The address of a page for people.", "type": "string", **_pattern(_PAGE)},
            "host_kind": {
                "description": "Whose rules for URLs the host follows, if its name does not tell.",
                "enum": ["generic", *hosts.kind_names()],
            },
        },
    }


def _text(grammar: str) -> Schema:
    """Describe a string that, typed without quotes, can look like a number or a truth value."""
    return {"type": ["string", "number", "boolean"], "minimum": 0, **_pattern(grammar)}


def _pattern(grammar: str) -> Schema:
    return {"pattern": f"^(?:{grammar})$"}


def _list(description: str, items: Schema) -> Schema:
    return {"description": description, "type": "array", "uniqueItems": True, "items": items}


def _mapping(description: str, names: str, values: Schema) -> Schema:
    return {
        "description": description,
        "type": ["object", "null"],
        "propertyNames": _pattern(names),
        "additionalProperties": values,
    }
