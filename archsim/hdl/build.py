"""Write what an FPGA engineer takes away: Verilog, manifest, FuseSoC core, bench, README."""

from __future__ import annotations

import hashlib
import importlib.metadata
import inspect
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
import yaml
from amaranth.lib import wiring

import archsim
from archsim.design import Design
from archsim.errors import ArchsimError, InputError
from archsim.hdl.build_axi import modelled_only, system_of
from archsim.hdl.choose import chosen_engine, no_rtl, rtl_of
from archsim.hdl.emit import to_verilog
from archsim.hdl.stream_top import AxiClocked, StreamTop, axes, command_layout, register_map
from archsim.hdl.system_axi import REGISTERS, SystemAxi
from archsim.hdl.system_geometry import engine_of, geometry_of
from archsim.hdl.vectors import vectors

if TYPE_CHECKING:
    from archsim.engines import Engine, Rtl

TOPS = ("engine", "stream", "axi")
_TAKEAWAY = resources.files("archsim.hdl") / "takeaway"
_FIXED = ("Makefile", "bench/run.py", "bench/bus.py")
_WAIVERS = {  # beside those that `to_verilog` writes
    "UNUSEDSIGNAL": "what another configuration needs",
    "PROCASSINIT": "registers have a value at start as well as at reset",
    "DECLFILENAME": "parts stand in the file of their top",
}


@dataclass(frozen=True, slots=True)
class _Family:
    """Engines that share their ports, and so a bench: ``work`` has its jobs.

    Engines with pins beyond their streams have none: what is behind the pins is the user's.
    """

    ports: tuple[str, ...]
    work: tuple[str, ...]
    bench: str | None
    readme: str
    tops: tuple[str, ...] = ("engine",)


_FAMILIES = (
    _Family(
        ("a", "b", "c", "result"), ("jobs",), "test_engine", "README.md.jinja", TOPS
    ),
    _Family(
        ("x", "parameters", "y"), ("vector",), "test_vector",
        "README_vector.md.jinja",
    ),
)  # fmt: skip
_OF_STREAMS = _Family((), ("jobs",), "test_engine", "README_streams.md.jinja")
_WITH_MEMORY = _Family((), ("jobs", "stored"), "test_memory", "README_memory.md.jinja")
_WITH_PINS = _Family((), (), None, "README_pins.md.jinja")


@dataclass(frozen=True, slots=True)
class Built:
    """What `build` wrote: the folder, its files in order, and the manifest's content."""

    folder: Path
    files: tuple[str, ...]
    manifest: Mapping[str, Any]


def build(
    design: Design,
    engines: Mapping[str, Engine],
    folder: Path,
    *,
    top: str = "engine",
    engine: str | None = None,
    layers: Mapping[str, Any] | None = None,
) -> Built:
    """Write an engine of a design as Verilog, with everything to simulate and to use it.

    Equal designs give equal files, byte for byte. Unless one engine is asked for, the others that
    have RTL are written too, each to a folder of its own beside the first one's files.

    Parameters
    ----------
    engines
        The engine registry, by kind.
    top
        ``engine``: the engine alone. ``stream``: also behind AXI4-Lite and AXI4-Stream. ``axi``:
        also in a system with DMA and scratchpad, behind AXI4-Lite and an AXI4 port to memory.
    engine
        Which of the design's engines; None: the first one that has RTL, then the others.
    layers
        Of ``axi``: what the bench runs, as `archsim.verify.system_example` compiles it.

    Raises
    ------
    InputError
        If there is no such top or engine, or the engine has no RTL or no such top, or a system
        cannot be built around it.
    """
    if top not in TOPS:
        raise InputError("--top", f"must be one of {', '.join(TOPS)}", top)
    name = engine_of(design, engine) if top == "axi" else chosen_engine(design, engines, engine)
    spec: Any = design.engines[name]
    rtl = rtl_of(engines, spec)
    family = _family(rtl, spec, name)
    if top not in family.tops:
        tops = " or ".join(family.tops)
        raise InputError("--top", f"must be {tops} for an engine of kind {spec.kind}", top)
    component, module = rtl.build(spec), _module(design, name)
    others = []
    if engine is None and top != "axi":
        others = [n for n, x in design.engines.items() if n != name and not no_rtl(engines, x)]

    files = {f"{module}.v": _verilog(component, module, f"{spec.kind} engine")}
    if top == "stream":
        wrapper = AxiClocked(StreamTop(component, module))
        about = f"{module} behind AXI4-Lite and AXI4-Stream"
        files[f"{module}_stream.v"] = _verilog(wrapper, f"{module}_stream", about)
    system: dict[str, Any] = {}
    if top == "axi":
        assert layers is not None, "a system's bench runs layers"
        geometry = geometry_of(design, name)
        wrapper = AxiClocked(SystemAxi(component, geometry, module))
        about = f"{module} with DMA and scratchpad behind AXI4-Lite and AXI4"
        files[f"{module}_axi.v"] = _verilog(wrapper, f"{module}_axi", about)
        system = {
            "registers": [asdict(row) for row in REGISTERS],
            "modelled_only": dict(modelled_only(design, name)),
            "system": system_of(design, geometry, layers),
        }
    manifest = {
        **_origin(design, engines, name, others),
        "files": {path: _digest(text) for path, text in files.items()},
        **_interface(component, rtl.ports(spec), with_bus=top == "stream"),
        "layout": (inspect.getdoc(rtl.ports) or "").removeprefix("Return the streams.").strip(),
        "ports": {Path(path).stem: _ports(text, Path(path).stem) for path, text in files.items()},
        "benches": _benches(list(files), family, top),
        **system,
    }
    manifest["module"] = list(manifest["ports"])[-1]
    files["manifest.json"] = json.dumps(manifest, indent=1) + "\n"
    files[f"{manifest['module']}.core"] = _core(manifest)
    files["README.md"] = _readme(manifest, module, family)
    if "jobs" in family.work:
        jobs = vectors(engines[spec.kind], rtl, spec)
        files["jobs.json"] = "[\n" + ",\n".join(map(json.dumps, jobs)) + "\n]\n"
    if top == "axi":
        files["layers.json"] = json.dumps(layers) + "\n"
    for path in _bench_files(family, top, manifest["benches"]):
        files[path] = (_TAKEAWAY / path).read_text("utf-8")
    _write(folder, files)
    written = list(files)
    for other in others:
        place = _module(design, other)
        made = build(design, engines, folder / place, engine=other)
        written += [f"{place}/{path}" for path in made.files]
    return Built(folder, tuple(written), manifest)


def _module(design: Design, name: str) -> str:
    """Return the Verilog module of an engine."""
    module = re.sub(r"\W", "_", f"{design.name}_{name}", flags=re.ASCII)
    return module if module[0].isalpha() else f"engine_{module}"


def _family(rtl: Rtl, spec: Any, name: str) -> _Family:
    ports: Mapping[str, Any] = rtl.ports(spec)
    if rtl.bench:
        return _WITH_PINS
    if rtl.writes:
        return _WITH_MEMORY
    for family in _FAMILIES:
        if set(ports) == set(family.ports):
            return family
    if [name for name, port in ports.items() if getattr(port, "direction", "") == "out"] == [
        "result"
    ]:
        return _OF_STREAMS
    others = ("result as the only output", "to memory alone")
    known = " or ".join([*(", ".join(family.ports) for family in _FAMILIES), *others])
    raise InputError(
        f"engines.{name}",
        f"must have the ports {known}: for other engines no bench is written",
        ", ".join(ports),
        fix=f"`archsim rtl check {spec.kind}` simulates its RTL beside the model",
    )


# ---------------------------------------------------------------------------------------- texts


def _verilog(component: wiring.Component, module: str, what: str) -> str:
    lines = [
        f"// {module}: {what}",
        f"// Generated by archsim {archsim.__version__}: change the design and build again.",
        *(f"/* verilator lint_off {rule} */ // {why}" for rule, why in _WAIVERS.items()),
    ]
    return "\n".join(lines) + "\n" + to_verilog(component, module)


def _core(manifest: Mapping[str, Any]) -> str:
    """Return a FuseSoC core file, CAPI2."""
    rtl = {"filesets": ["rtl"], "toplevel": manifest["module"]}
    options = {"tool": "verilator", "verilator_options": ["-Wall"]}
    core = {
        "name": f"archsim:engines:{manifest['module']}:{archsim.__version__}",
        "description": f"{manifest['kind']} engine generated by archsim",
        "filesets": {"rtl": {"files": list(manifest["files"]), "file_type": "verilogSource"}},
        "targets": {
            "default": {"description": "The Verilog, to depend on", **rtl},
            "lint": {
                "description": "Verilator, -Wall",
                **rtl,
                "flow": "lint",
                "flow_options": options,
            },
        },
    }
    # a deep copy keeps YAML from writing shared lists as anchors
    return "CAPI=2:\n" + yaml.safe_dump(json.loads(json.dumps(core)), sort_keys=False)


def _readme(manifest: Mapping[str, Any], engine_module: str, family: _Family) -> str:
    name = "README_axi.md.jinja" if "system" in manifest else family.readme
    template = (_TAKEAWAY / name).read_text("utf-8")
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string(template).render(manifest, engine_module=engine_module)


# ---------------------------------------------------------------------------------------- manifest


def _origin(
    design: Design, engines: Mapping[str, Engine], name: str, others: Sequence[str]
) -> dict[str, Any]:
    spec: Any = design.engines[name]
    tools = ("amaranth", "pyosys")
    return {
        "module": "",  # keeps its place at the head
        "kind": spec.kind,
        "engine": name,
        "spec": spec.model_dump(mode="json"),
        "design": {"name": design.name, "digest": design.digest()},
        **({"beside": {other: _module(design, other) for other in others}} if others else {}),
        "modelled_only": dict(_modelled(design, engines, [name, *others])),
        "versions": {
            "archsim": archsim.__version__,
            **{tool: importlib.metadata.version(tool) for tool in tools},
        },
    }


def _modelled(
    design: Design, engines: Mapping[str, Engine], written: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield what of the design is in no file, and why."""
    for name, spec in design.engines.items():
        if name not in written:
            reason = no_rtl(engines, spec)
            yield f"engines.{name}", reason or f"not asked for: build it with --engine {name}"
    yield "memories.buffer", "simulated: operands come through the streams"
    yield "memories.dram", "simulated: not part of the engine"
    yield "link", "simulated: not part of the engine"
    if design.fallback:
        yield "fallback", design.fallback.reason


def _interface(
    component: wiring.Component, ports: Mapping[str, Any], *, with_bus: bool
) -> dict[str, Any]:
    streams = {
        port: {
            "direction": "in" if axis.into else "out",
            "lanes": axis.lanes,
            "bits": axis.bits,
            "signed": ports[port].signed,
            **({"axis": axis.name, "tdata_bits": axis.tdata_bits} if with_bus else {}),
        }
        for port, axis in axes(component, ports).items()
    }
    memories = {
        name: {"address_bits": port.address_bits, "bits": port.bits}
        for name, port in ports.items()
        if name not in streams
    }
    return {
        "command": [{"name": n, "bits": field.width} for n, field in command_layout(component)],
        "streams": streams,
        **({"memories": memories} if memories else {}),
        "counters": list(component.signature.members["counters"].signature.members),
        "registers": [asdict(row) for row in register_map(component)] if with_bus else [],
    }


def _ports(verilog: str, module: str) -> list[dict[str, Any]]:
    """Return a module's ports in the order of its Verilog."""
    start = verilog.index(f"\nmodule {module}(")
    body = verilog[start : verilog.index("\nendmodule", start)]
    declared = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);$", body, re.MULTILINE)
    return [
        {"name": name, "direction": direction, "bits": int(high or 0) + 1}
        for direction, high, name in declared
    ]


def _bench_files(family: _Family, top: str, benches: Collection[str]) -> tuple[str, ...]:
    """Return the files that benches are made of."""
    if not family.work:
        return ()
    more = ("memory",) if top == "axi" else ()
    return (*_FIXED, *(f"bench/{name}.py" for name in (*family.work, *more, *benches)))


def _benches(sources: list[str], family: _Family, top: str) -> dict[str, Any]:
    """Return by bench its top module and the Verilog that it needs."""
    if family.bench is None:
        return {}
    benches = (family.bench, f"test_{top}")
    return {
        bench: {"module": Path(path).stem, "sources": sources[: i + 1]}
        for i, (bench, path) in enumerate(zip(benches, sources, strict=False))
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write(folder: Path, files: Mapping[str, str]) -> None:
    try:
        for name, text in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8", newline="\n")
    except OSError as fault:
        raise ArchsimError(f"{folder}: cannot be written: {fault.strerror}") from None
