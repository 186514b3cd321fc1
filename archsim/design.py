"""A proposed accelerator: engines, memories, link, clocks and node, as typed in YAML."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializeAsAny,
    Tag,
    field_validator,
)

from archsim.errors import InputError
from archsim.yaml_file import (
    BoundedLoader,
    Document,
    TooManyNodes,
    merge,
    validate,
)

PS_PER_MHZ = 10**6  # ps in a cycle of a 1 MHz clock
MAX_DENOMINATOR = 10**5  # of exact fractions of a ps, so that 64 bits hold what they scale
MAX_EXTENDS = 16
UNDIGESTED = ("name", "description")  # what a design's digest leaves out


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sram(_Part):
    """The on-chip buffer: single-cycle banks, one read and one write port each.

    ``tile_share`` of it holds the tiles of the ops that run, shared evenly by the engines; the
    rest holds results that stay on chip for a later op.
    """

    capacity_bytes: Annotated[int, Field(gt=0, le=1 << 34)] = 2 << 20
    banks: Annotated[int, Field(gt=0, le=4096)] = 16
    bank_width_bytes: Annotated[int, Field(gt=0, le=4096)] = 16
    tile_share: Annotated[float, Field(gt=0, le=1)] = 0.5

    @property
    def port_bytes(self) -> int:
        """Bytes that all banks together read, and write, in one cycle."""
        return self.banks * self.bank_width_bytes


class Dram(_Part):
    """Off-chip memory: channels interleaved by burst, so that a transfer uses them all."""

    channels: Annotated[int, Field(gt=0, le=1024)] = 4
    channel_gb_per_s: Annotated[float, Field(gt=0, le=10_000)] = 6.4
    latency_ns: Annotated[float, Field(ge=0, le=10**6)] = 60.0
    burst_bytes: Annotated[int, Field(gt=0, le=1 << 16)] = 64
    page_bytes: Annotated[int, Field(gt=0, le=1 << 24)] = 2048
    page_miss_ns: Annotated[float, Field(ge=0, le=10**6)] = 0.0


class Memories(_Part):
    """What holds operands; every engine shares both."""

    buffer: Sram = Sram()
    dram: Dram = Dram()


class Link(_Part):
    """The path between DRAM and buffer; a DMA can move no faster."""

    gb_per_s: Annotated[float, Field(gt=0, le=100_000)] = 64.0


class Fallback(_Part):
    """What an op costs that no engine accepts: a host that is not part of the design."""

    ns_per_element: Annotated[float, Field(ge=0)]
    pj_per_element: Annotated[float, Field(ge=0)]
    reason: Annotated[str, Field(min_length=1)]


class Rule(_Part):
    """Ops that match all that a rule names run on its engine.

    Parameters
    ----------
    kind, name, dtype
        The op's kind, a glob of its name, and the type of one of its inputs.
    """

    engine: str
    kind: str | None = None
    name: str | None = None
    dtype: str | None = None


class ByOp(_Part):
    """Each op to the engine of the first rule that it matches, others as ``first`` does."""

    kind: Literal["by-op"]
    rules: tuple[Rule, ...]


class Pipeline(_Part):
    """Contiguous stages of the trace, one an engine, balanced by time.

    Parameters
    ----------
    stages
        Engines that hold a stage, in order; unless named, all that multiply matrices.
    """

    kind: Literal["pipeline"]
    stages: tuple[str, ...] = ()


PolicyName = Literal["first", "fastest", "pipeline"]
POLICY_NAMES = get_args(PolicyName)


def _policy_kind(value: Any) -> Any:
    if isinstance(value, str):
        return "name" if value in POLICY_NAMES else None
    return value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)


Policy = Annotated[
    Annotated[PolicyName, Tag("name")]
    | Annotated[ByOp, Tag("by-op")]
    | Annotated[Pipeline, Tag("pipeline")],
    Discriminator(
        _policy_kind,
        custom_error_type="policy",
        custom_error_message="must be first, fastest, pipeline, or have kind by-op or pipeline",
    ),
]


class Design(_Part):
    """An accelerator.

    Parameters
    ----------
    engines
        Name to spec; the first is the one whose cycles the result counts in.
    node
        Technology: a name that ``archsim.tech.names()`` lists.
    policy
        How ops are given to engines: each to the ``first``, in order, that accepts it; to the
        ``fastest`` of those that do, by its time alone; ``by-op``, by rules; or in stages of a
        ``pipeline``.
    """

    name: Annotated[str, Field(min_length=1, max_length=200)] = "design"
    description: str = ""
    node: str = "freepdk45"
    engines: Annotated[dict[str, SerializeAsAny[BaseModel]], Field(min_length=1)]
    memories: Memories = Memories()
    link: Link = Link()
    policy: Policy = "first"
    fallback: Fallback | None = None

    @field_validator("engines", mode="before")
    @classmethod
    def _engine_specs(cls, value: Any, info: Any) -> Any:
        from archsim.engines import EngineSpec, discover  # noqa: PLC0415

        if not isinstance(value, Mapping):
            raise ValueError("must be a mapping of engine names to engines")
        specs: dict[str, Any] = {}
        for name, fields in value.items():
            if isinstance(fields, EngineSpec):
                specs[name] = fields
                continue
            known = discover()
            kind = str(fields.get("kind")) if isinstance(fields, Mapping) else ""
            if kind not in known:
                raise ValueError(f"{name}.kind must be {one_of(known, kind)}, not {kind!r}")
            specs[name] = known[kind].spec.model_validate(fields)
        return specs

    def digest(self) -> str:
        """Return the design's content hash: names and descriptions aside, equal designs agree."""
        content = self.model_dump(mode="json", exclude=set(UNDIGESTED))
        return digest_of(json.dumps(content, sort_keys=True))


def digest_of(text: str) -> str:
    """Return the digest of a design's canonical text: its digested content as sorted JSON."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def one_of(known: Mapping[str, Any] | list[str] | tuple[str, ...], got: object) -> str:
    """Return "one of a, b, c", with the close match that was probably meant."""
    names = sorted(known)
    near = difflib.get_close_matches(str(got), names, n=1)
    return f"one of {', '.join(names)}" + (f" (did you mean {near[0]!r}?)" if near else "")


# ---------------------------------------------------------------------------------------- clocks


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock's edges on the picosecond axis: edge n is at ``ceil(n period)``, never accumulated.

    Parameters
    ----------
    period_ps
        As an exact fraction.
    """

    period_ps: Fraction

    @classmethod
    def of_mhz(cls, mhz: float) -> Clock:
        """Return the clock of a typed frequency: the decimal that was typed, not its float.

        A period of more digits than any oscillator has is taken at the nearest simple fraction.
        """
        return cls((PS_PER_MHZ / Fraction(str(mhz))).limit_denominator(MAX_DENOMINATOR))

    @property
    def mhz(self) -> float:
        return float(PS_PER_MHZ / self.period_ps)

    def edge_ps(self, n: int) -> int:
        return -(-n * self.period_ps.numerator // self.period_ps.denominator)

    def next_edge(self, time_ps: int) -> int:
        """Return the number of the first edge at or after a time."""
        if time_ps <= 0:
            return 0
        return (time_ps - 1) * self.period_ps.denominator // self.period_ps.numerator + 1


# ---------------------------------------------------------------------------------------- loading


def shipped() -> tuple[str, ...]:
    """Return the names of the designs that come with archsim."""
    folder = resources.files("archsim") / "designs"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir()))


def load_design(name_or_path: str, overrides: Mapping[str, Any] | None = None) -> Design:
    """Return a shipped design by name, or the design in a YAML file.

    ``extends: NAME_OR_FILE`` starts from another design; ``overrides`` are dotted paths set last,
    where None removes what was there. A design without a name has its own file's.

    Raises
    ------
    InputError
        With ``file:line``, or the override, and path of every fault.
    """
    tree, document = _typed(name_or_path)
    for dotted, value in (overrides or {}).items():
        document.override(tree, dotted, value)
    return _checked(tree, document)


def typed_design(name_or_path: str) -> dict[str, Any]:
    """Return what a design's file says, and those that it extends, without any defaults."""
    return _typed(name_or_path)[0]


def _typed(name_or_path: str) -> tuple[dict[str, Any], Document]:
    document = _open(name_or_path)
    tree = _extended(document, seen=(document.origin,))
    tree.setdefault("name", Path(document.origin).stem)
    return tree, document


def design_from(tree: Mapping[str, Any], document: Document | None = None) -> Design:
    """Return the design that a plain tree describes: a sweep's point, a saved result."""
    return _checked(dict(tree), document)


def override_value(text: str) -> Any:
    """Return the value of ``--set path=VALUE``: YAML's reading of it, numbers as numbers."""
    try:
        value = yaml.load(text, Loader=BoundedLoader)
    except (yaml.YAMLError, TooManyNodes, ValueError, RecursionError):  # no value of YAML's: text
        return text
    if isinstance(value, str):  # PyYAML reads 1e9 as text
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _open(name_or_path: str) -> Document:
    if name_or_path in shipped():
        text = (resources.files("archsim") / "designs" / f"{name_or_path}.yaml").read_text("utf-8")
        return Document(text, f"{name_or_path}.yaml")
    path = Path(name_or_path)
    if not _is_file(path):
        raise InputError(
            "design", f"must be a YAML file or {one_of(shipped(), name_or_path)}", name_or_path
        )
    return Document.load(path)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def _extended(document: Document, seen: tuple[str, ...]) -> dict[str, Any]:
    tree = document.value
    if not isinstance(tree, dict):
        raise InputError(document.place(()), "a design must be a mapping of keys", tree)
    if "extends" not in tree:
        return dict(tree)
    parent = tree["extends"]
    where = f"{document.place(('extends',))}: extends"
    if not isinstance(parent, str):
        raise InputError(where, "must be the name or file of a design", parent)
    beside = Path(document.origin).parent / parent
    base = _open(str(beside) if _is_file(beside) else parent)
    if base.origin in seen or len(seen) > MAX_EXTENDS:
        raise InputError(where, "designs must not extend each other in a circle", parent)
    delta = {key: value for key, value in tree.items() if key != "extends"}
    parents = _extended(base, (*seen, base.origin))
    parents.pop("name", None)
    return merge(parents, delta)


def _checked(tree: dict[str, Any], document: Document | None) -> Design:
    from archsim.engines import discover  # noqa: PLC0415

    # engines first, one by one, so that a fault inside a spec has its own line
    engines = tree.get("engines")
    for name, fields in engines.items() if isinstance(engines, Mapping) else ():
        known = discover()
        kind = fields.get("kind") if isinstance(fields, Mapping) else None
        if isinstance(kind, str) and kind in known:
            validate(known[kind].spec, fields, document, under=("engines", name))
    design = validate(Design, tree, document)
    check_policy(design.policy, list(design.engines), document)
    return design


def check_policy(policy: Policy, engines: list[str], document: Document | None = None) -> None:
    """Raise `InputError` unless a policy speaks of engines that there are."""
    named: list[tuple[tuple[str | int, ...], str]] = []
    if isinstance(policy, ByOp):
        named = [(("policy", "rules", i, "engine"), r.engine) for i, r in enumerate(policy.rules)]
    elif isinstance(policy, Pipeline):
        named = [(("policy", "stages", i), name) for i, name in enumerate(policy.stages)]
    for number, (path, name) in enumerate(named):
        where = document.where(path) if document else f"design: {'.'.join(map(str, path))}"
        if name not in engines:
            raise InputError(where, f"must be {one_of(engines, name)}", name)
        if isinstance(policy, Pipeline) and name in policy.stages[:number]:
            raise InputError(where, "an engine must hold one stage", name)
