"""Export tiny Hugging Face models to ONNX, the ways that people do: ``workloads/huggingface.py``.

Needs ``pip install transformers onnxscript`` beside torch; nothing is downloaded, since the models
are made from configurations with random parameters. Writes into ``workloads/exports``, which is
committed, so that tests need none of this. What exporters write about themselves (traces of their
own source, names of files) is left out.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent / "exports"
BATCH, TOKENS, PAST, LAYERS, HEADS, WIDTH, WORDS = 2, 3, 5, 2, 4, 32, 64


class Cached(nn.Module):
    """A decoder whose cache comes in and goes out as tensors, layer by layer."""

    def __init__(self, model: Any, cache: Any) -> None:
        super().__init__()
        self.model, self.cache = model, cache

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor, *past: Tensor
    ) -> tuple[Tensor, ...]:
        pairs = [(past[i], past[i + 1]) for i in range(0, len(past), 2)]
        result = self.model(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=self.cache(pairs),
            use_cache=True,
        )
        layers = result.past_key_values.layers
        return (result.logits, *(t for layer in layers for t in (layer.keys, layer.values)))


class Encoder(nn.Module):
    """An encoder that returns its last hidden state alone."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        state: Tensor = self.model(input_ids, attention_mask).last_hidden_state
        return state


def llama(attention: str) -> tuple[nn.Module, int]:
    """Return a decoder and how many heads its cache has."""
    from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM  # noqa: PLC0415

    config = LlamaConfig(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=48, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=2, max_position_embeddings=64,
        attn_implementation=attention,
    )  # fmt: skip
    return Cached(LlamaForCausalLM(config), DynamicCache), 2


def gpt2(attention: str) -> tuple[nn.Module, int]:
    from transformers import DynamicCache, GPT2Config, GPT2LMHeadModel  # noqa: PLC0415

    config = GPT2Config(
        vocab_size=WORDS, n_embd=WIDTH, n_layer=LAYERS, n_head=HEADS, n_positions=64,
        attn_implementation=attention,
    )  # fmt: skip
    return Cached(GPT2LMHeadModel(config), DynamicCache), HEADS


def bert(attention: str) -> tuple[nn.Module, int]:
    from transformers import BertConfig, BertModel  # noqa: PLC0415

    config = BertConfig(
        vocab_size=WORDS, hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, max_position_embeddings=64, attn_implementation=attention,
    )  # fmt: skip
    return Encoder(BertModel(config, add_pooling_layer=False)), 0


Maker = Callable[[str], tuple[nn.Module, int]]
EXPORTS: Sequence[tuple[Maker, str, bool, int]] = (  # model, attention, by torch.export, opset
    (llama, "eager", False, 17),
    (llama, "sdpa", True, 21),
    (gpt2, "sdpa", False, 14),
    (gpt2, "eager", True, 18),
    (bert, "eager", False, 14),
    (bert, "sdpa", True, 20),
)


def export(make: Maker, attention: str, dynamo: bool, opset: int, folder: Path) -> Path:
    """Write one model and return its file."""
    torch.manual_seed(0)
    model, heads = make(attention)
    total = PAST + TOKENS if heads else TOKENS
    args = [
        torch.ones(BATCH, TOKENS, dtype=torch.int64),
        torch.ones(BATCH, total, dtype=torch.int64),
    ]
    names, outputs = ["input_ids", "attention_mask"], ["last_hidden_state"]
    if heads:
        parts = [f"{i}.{part}" for i in range(LAYERS) for part in ("key", "value")]
        args.append(torch.arange(PAST, total).expand(BATCH, TOKENS).clone())
        args += [torch.randn(BATCH, heads, PAST, WIDTH // HEADS) for _ in parts]
        names += ["position_ids", *(f"past_key_values.{part}" for part in parts)]
        outputs = ["logits", *(f"present.{part}" for part in parts)]
    axes: list[dict[int, str]] = [{0: "batch", 1: "sequence"}, {0: "batch", 1: "total"}]
    if heads:
        axes += [axes[0], *({0: "batch", 2: "past"} for _ in parts)]
    file = folder / f"{make.__name__}_{'dynamo' if dynamo else 'script'}_{opset}.onnx"
    options: dict[str, Any] = {"dynamic_axes": dict(zip(names, axes, strict=True))}
    if dynamo:
        free = [dict.fromkeys(axis, torch.export.Dim.DYNAMIC) for axis in axes]
        shapes = (*free[:3], tuple(free[3:])) if heads else tuple(free)
        options = {"dynamic_shapes": shapes}
    torch.onnx.export(
        model.eval(), tuple(args), str(file), input_names=names, output_names=outputs,
        opset_version=opset, dynamo=dynamo, verbose=False, **options,
    )  # fmt: skip
    _strip(file)
    return file


def _strip(file: Path) -> None:
    """Leave out what an exporter says of itself, and shapes that inference finds."""
    model = onnx.load(file)
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    model.doc_string = model.graph.doc_string = ""
    for part in (*model.graph.node, *model.graph.input, *model.graph.output, *model.functions):
        del part.metadata_props[:]
        part.doc_string = ""
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
        tensor.doc_string = ""
    file.write_bytes(model.SerializeToString(deterministic=True))


def main() -> None:
    os.environ["HF_HUB_OFFLINE"] = "1"
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", dest="folder", type=Path, default=FOLDER, metavar="DIR")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for make, attention, dynamo, opset in EXPORTS:
            file = export(make, attention, dynamo, opset, Path(scratch))
            (folder / file.name).write_bytes(file.read_bytes())
            print(folder / file.name)


if __name__ == "__main__":
    main()
