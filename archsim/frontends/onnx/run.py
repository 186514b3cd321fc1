"""One run of an ONNX model by ONNX Runtime, for what its products' operands hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnx import external_data_helper, helper, numpy_helper

from archsim.errors import InputError, MissingExtra
from archsim.frontends.data import Run, check_size
from archsim.frontends.onnx.model import MAX_FILE_BYTES, read_model
from archsim.frontends.onnx.qoperators import spell_out
from archsim.frontends.onnx.shapes import infer
from archsim.frontends.options import Options
from archsim.frontends.policy import Policy

Array = NDArray[Any]


def run_onnx(file: str, options: Options, run: Run) -> tuple[Mapping[str, Array], str]:
    """Return the wanted values of a model by name, and what ran it.

    Raises
    ------
    MissingExtra
        If ONNX Runtime is not installed.
    InputError
        If it refuses the model or its inputs.
    """
    try:
        import onnxruntime  # noqa: PLC0415
    except ModuleNotFoundError:
        raise MissingExtra("onnxruntime", "data") from None
    Policy.take(options)
    path = Path(file)
    model = read_model(path, options)  # all that is checked before a file is trusted that far
    spell_out(model.proto, model.where)
    values = infer(model)
    wanted = {_quantised(model.proto, name): name for name in run.wanted if name in values}
    check_size({name: values[name].shape for name in wanted}, file)
    feeds = {
        name: run.input(name, shape, helper.tensor_dtype_to_np_dtype(values[name].elem_type))
        for name, shape in model.inputs.items()
    }
    proto = onnx.load(path, load_external_data=False)
    found = {name: feeds[name] for name in wanted if name in feeds}
    for tensor in proto.graph.initializer:
        if tensor.name in wanted:
            found[tensor.name] = _constant(tensor, path)
    computed = {name for node in proto.graph.node for name in node.output}
    left = sorted((wanted.keys() - found.keys()) & computed)
    if left:
        found |= dict(zip(left, _computed(proto, path, left, feeds, onnxruntime), strict=True))
    ran = f"onnxruntime {onnxruntime.__version__}"
    return {wanted[name]: array for name, array in found.items()}, ran


def _quantised(proto: Any, name: str) -> str:
    """Return what quantises an input: a trace whose policy makes it integers has it as that."""
    if name not in {value.name for value in proto.graph.input}:
        return name
    readers = [node for node in proto.graph.node if name in node.input]
    alone = len(readers) == 1 and readers[0].op_type == "QuantizeLinear"
    return str(readers[0].output[0]) if alone else name


def _constant(tensor: Any, path: Path) -> Array:
    if external_data_helper.uses_external_data(tensor):
        external_data_helper.load_external_data_for_tensor(tensor, str(path.resolve().parent))
    array: Array = numpy_helper.to_array(tensor)
    return array


def _computed(
    proto: Any, path: Path, names: list[str], feeds: Mapping[str, Array], onnxruntime: Any
) -> list[Array]:
    outputs = {output.name for output in proto.graph.output}
    for name in names:
        if name not in outputs:
            proto.graph.output.append(helper.make_empty_tensor_value_info(name))
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", str(path.resolve().parent)
    )
    content = proto.SerializeToString()
    if len(content) > MAX_FILE_BYTES:
        raise InputError(str(path), f"must be at most {MAX_FILE_BYTES:,} bytes to be run")
    try:
        session = onnxruntime.InferenceSession(
            content, settings, providers=["CPUExecutionProvider"]
        )
        results: list[Array] = session.run(names, dict(feeds))
    except Exception as fault:  # the runtime has a type of its own for each of its faults
        reason = str(fault).strip().splitlines()[0]
        raise InputError(str(path), f"must be a model that ONNX Runtime runs: {reason}") from None
    return results
