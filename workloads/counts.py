"""Count what trained models' products read: ``workloads/counts.py [-o DIR]``.

Writes traces with how often each integer occurs in each operand (`archsim trace --keep histogram`),
for named models to borrow (``--values-of``). It runs the models that ``fetch.py`` fetches, once:

- the text detector on a page of handwritten digits, scikit-learn's (the UCI ML hand-written digits
  of E. Alpaydin and C. Kaynak, 1998, CC BY 4.0), scaled as the model takes images;
- the sentence encoder on tokens drawn evenly from its vocabulary.

Needs ``pip install scikit-learn`` and archsim with the extra ``data``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from archsim.frontends.data import Recording, load_with_data
from archsim.trace_io import write_trace

HERE = Path(__file__).parent
SIDE = 320  # pixels of the page


def page() -> np.ndarray:
    """Return rows of digits, each pixel drawn as 2 x 2, as [1, 3, SIDE, SIDE] from -1 to 1."""
    tiles = SIDE // 16
    digits = load_digits().images[: tiles * tiles].reshape(tiles, tiles, 8, 8)  # 0 to 16
    drawn = digits.transpose(0, 2, 1, 3).reshape(tiles * 8, tiles * 8).repeat(2, 0).repeat(2, 1)
    return np.broadcast_to(1 - drawn / 8, (1, 3, SIDE, SIDE)).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", type=Path, default=HERE / "traces", help="folder to write into")
    folder = parser.parse_args().o
    asked = {
        "text_detection": ({"x": page()}, {"x.2": SIDE, "x.3": SIDE}),
        "minilm": ({}, {"sequence": 128}),
    }
    for name, (given, sizes) in asked.items():
        recording = Recording("histogram", given)
        trace, kept = load_with_data(HERE / "models" / f"{name}.onnx", recording=recording, **sizes)
        write_trace(trace, folder / f"{name}_counts.jsonl", kept)
        print(folder / f"{name}_counts.jsonl", *trace.notes[-3:], sep="\n  ")


if __name__ == "__main__":
    main()
