# SPDX-License-Identifier: MIT
"""JSON Schema, as much of it as docs/*.schema.json use: anything else in a
schema is a failure, and so is a member that it does not know."""
import json, os, re

DOCS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs")
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None), "integer": int, "number": (int, float)}
SILENT = {"$schema", "$defs", "title", "description"}


def load(name):
    with open(os.path.join(DOCS, f"{name}.schema.json"), encoding="utf-8") as f:
        return json.load(f)


def is_of(value, name):
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))


def faults(value, schema, root=None, where="$"):
    """Every way in which the value is not what the schema says."""
    root = root or schema
    for word, rule in schema.items():
        if word in SILENT or (word in ("minimum", "maximum", "pattern") and value is None):
            continue
        if word == "$ref":
            yield from faults(value, root["$defs"][re.fullmatch(r"#/\$defs/(\w+)", rule)[1]], root, where)
        elif word == "type":
            names = rule if isinstance(rule, list) else [rule]
            if not any(is_of(value, name) for name in names):
                yield f"{where}: {value!r} is no {names}"
                return
        elif word == "enum":
            if value not in rule:
                yield f"{where}: {value!r} is none of {rule}"
        elif word == "minimum":
            if value < rule:
                yield f"{where}: {value} is below {rule}"
        elif word == "maximum":
            if value > rule:
                yield f"{where}: {value} is above {rule}"
        elif word == "pattern":
            if not re.search(rule, value):
                yield f"{where}: {value!r} is not like {rule}"
        elif word == "required":
            yield from (f"{where}.{name} is missing" for name in rule if name not in value)
        elif word == "properties":
            yield from (f"{where}.{name} is not in the schema" for name in value if name not in rule)
            for name in value.keys() & rule.keys():
                yield from faults(value[name], rule[name], root, f"{where}.{name}")
        elif word == "items":
            for i, item in enumerate(value):
                yield from faults(item, rule, root, f"{where}[{i}]")
        elif word == "maxItems":
            if len(value) > rule:
                yield f"{where} has {len(value)} items"
        else:
            yield f"{where}: the schema has a word that is not known here: {word}"
