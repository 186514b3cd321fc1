"""One run of a torch module, for what its products' operands hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from archsim.errors import InputError, MissingExtra
from archsim.frontends.data import Run, check_size
from archsim.frontends.options import Options
from archsim.frontends.policy import Policy

Array = NDArray[Any]


def run_torch(name: str, options: Options, run: Run) -> tuple[Mapping[str, Array], str]:
    """Return the wanted values of a module by name, and what ran it.

    Raises
    ------
    MissingExtra
        If torch is not installed.
    InputError
        If the module fails on its inputs.
    """
    try:
        import torch  # noqa: PLC0415
    except ModuleNotFoundError:
        raise MissingExtra("torch", "torch") from None
    from archsim.frontends.torch.export import exported, quietly  # noqa: PLC0415
    from archsim.frontends.torch.factory import failed  # noqa: PLC0415
    from archsim.frontends.torch.graph import decomposed, held_by_target, named_inputs  # noqa: PLC0415

    Policy.take(options)
    torch.manual_seed(run.recording.seed)
    program = exported(name, options)
    found: dict[str, Array] = {}

    class Recorder(torch.fx.Interpreter):  # type: ignore[misc]
        """Runs the program node by node and keeps what is wanted."""

        def run_node(self, n: Any) -> Any:
            result = super().run_node(n)
            several = isinstance(result, (tuple, list))
            for i, part in enumerate(result if several else (result,)):
                value = f"{n.name}.{i}" if several else n.name
                if value in run.wanted and isinstance(part, torch.Tensor):
                    found[value] = _array(part)
            return result

    with quietly():
        program = decomposed(program)
        feeds = []
        for node, target in named_inputs(program):
            held = held_by_target(program, target)
            if held is None:
                held = _given(node, target, run)
            if target in run.wanted:
                found[target] = _array(held)
            feeds.append(held)
        shapes = {n.name: tuple(n.meta["val"].shape) for n in program.graph.nodes
                  if n.name in run.wanted}  # fmt: skip
        check_size(shapes, name)
        try:
            with torch.no_grad():
                Recorder(program.graph_module).run(*feeds, enable_io_processing=False)
        except InputError:
            raise
        except Exception as fault:  # torch's own, on values
            raise failed(name, "must run on its inputs", fault) from None
    return found, f"torch {torch.__version__.partition('+')[0]}"


def _given(node: Any, target: str, run: Run) -> Any:
    """Return what goes into a placeholder; what is no tensor is in the graph already."""
    import torch  # noqa: PLC0415

    example = node.meta.get("val")
    if not isinstance(example, torch.Tensor):
        return example
    like = torch.empty(0, dtype=example.dtype)
    wide = like.float() if example.dtype in (torch.bfloat16, torch.float16) else like
    array = run.input(target, tuple(example.shape), wide.numpy().dtype)
    return torch.from_numpy(array).to(example.dtype)


def _array(tensor: Any) -> Array:
    plain = tensor.detach().cpu()
    if plain.is_floating_point() and plain.dtype.itemsize < 4:
        plain = plain.float()
    array: Array = plain.numpy().copy()
    return array
