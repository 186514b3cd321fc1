"""JSON Schemas of what people type, for editors and other programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, get_args

from pydantic.json_schema import models_json_schema

from archsim.design import Design, shipped
from archsim.engines import discover, op_kinds
from archsim.gpu.record import Record
from archsim.trace import DTYPE_BITS, SCHEMA_VERSION, OpKind, Role

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def design() -> dict[str, Any]:
    """Return the schema of a design: ``engines`` is a union over the registry, told by ``kind``."""
    specs = {kind: engine.spec for kind, engine in discover().items()}
    names, schema = models_json_schema(
        [(Design, "validation"), *((spec, "validation") for spec in specs.values())],
        ref_template="#/$defs/{model}",
    )
    top = schema["$defs"].pop("Design")
    kinds = {kind: names[spec, "validation"]["$ref"] for kind, spec in specs.items()}
    for kind, ref in kinds.items():
        fields = schema["$defs"][ref.rpartition("/")[2]]
        fields["required"] = sorted({"kind", *fields.get("required", ())})
        fields["properties"]["kind"] = {"const": kind}
    top["properties"]["engines"] |= {
        "additionalProperties": {
            "oneOf": [{"$ref": ref} for ref in kinds.values()],
            "discriminator": {"propertyName": "kind", "mapping": kinds},
        }
    }
    top["properties"]["extends"] = {
        "type": "string",
        "description": f"start from another design: a file or one of {', '.join(shipped())}",
    }
    # a design that extends another may leave its engines to that
    top["anyOf"] = [{"required": ["engines"]}, {"required": ["extends"]}]
    del top["required"]
    return {"$schema": DIALECT, **top, "$defs": schema["$defs"]}


def sweep() -> dict[str, Any]:
    """Return the schema of a sweep's YAML."""
    from archsim.sweep import Sweep  # noqa: PLC0415

    schema = Sweep.model_json_schema()
    parts = schema["$defs"]
    condition = {"$ref": "#/$defs/Condition"}
    for part in (schema, parts["Axis"]):
        part["properties"]["when"] = {"anyOf": [condition, part["properties"]["when"]]}
    # the short forms that people write
    parts["Axis"] = {"anyOf": [{"type": "array", "minItems": 1}, parts["Axis"]]}
    parts["Workload"] = {"anyOf": [{"type": "string", "minLength": 1}, parts["Workload"]]}
    return {"$schema": DIALECT, **schema}


def trace() -> dict[str, Any]:
    """Return the schema of one line of a trace: its header, a tensor or an op."""
    text, natural = {"type": "string"}, {"type": "integer", "minimum": 0}
    texts = {"type": "array", "items": text}
    header = _record(
        {"schema_version": {"const": SCHEMA_VERSION}, "name": text},
        {
            "source": text, "notes": texts, "operands": text,
            "unsupported": {"type": "object", "additionalProperties": natural},
        },
    )  # fmt: skip
    sampled = _record({"ref": text, "scale": {"type": "number"}}, {})
    histogram = _record({"histogram": text}, {})
    sparse = _record({"entries": natural}, {"sparse": text})
    packed = _record({"kept": {"type": "integer", "minimum": 1}, "place_bits": natural}, {})
    tensor = _record(
        {"tensor": text, "shape": {"type": "array", "items": {"type": "integer", "minimum": 1}}},
        {
            "dtype": {"enum": list(DTYPE_BITS)},
            "role": {"enum": list(get_args(Role))},
            "data": {"oneOf": [text, sampled, histogram, sparse, packed]},
        },
    )
    ops = [_op(kind) for kind in op_kinds().values()]
    return {"$schema": DIALECT, "title": "Line of a trace", "oneOf": [header, tensor, *ops]}


_ATTRS: Mapping[type, Mapping[str, Any]] = MappingProxyType(
    {
        int: {"type": "integer", "minimum": 1},
        float: {"type": "number"},
        str: {"type": "string"},
        bool: {"type": "boolean"},
        tuple: {"type": "array", "items": {"type": "integer", "minimum": 0}},
    }
)


def record() -> dict[str, Any]:
    """Return the schema of a record: what a kernel took on a GPU."""
    return {"$schema": DIALECT, **Record.model_json_schema()}


def _op(kind: OpKind) -> dict[str, Any]:
    text, attrs = {"type": "string"}, kind.attrs
    texts = {"type": "array", "items": text}
    required: dict[str, Any] = {
        "op": text,
        "kind": {"const": kind.name},
        "inputs": texts,
        "outputs": texts,
    }
    optional = {
        "attrs": _record({name: dict(_ATTRS[form]) for name, form in attrs.items()}, {}),
        "epilogue": texts,
        "repeat": {"type": "integer", "minimum": 1},
        "block": text,
        "source": text,
    }
    if kind.tiling == "gemm":
        extents = {"type": "array", "items": {"type": "integer", "minimum": 0}}
        turn = {"type": "array", "prefixItems": [extents, extents], "minItems": 2, "maxItems": 2}
        turns = {"type": "array", "items": turn, "minItems": 1}
        optional["layouts"] = _record({}, {"a": turns, "b": turns})
    if attrs:
        required["attrs"] = optional.pop("attrs")
    return _record(required, optional)


def _record(required: Mapping[str, Any], optional: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": list(required),
        "properties": {**required, **optional},
        "additionalProperties": False,
    }


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = MappingProxyType(
    {"design": design, "sweep": sweep, "trace": trace, "record": record}
)
