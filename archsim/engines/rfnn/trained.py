"""The trained networks that ship: ``python -m archsim.engines.rfnn.trained`` makes them anew.

Writes, beside this file, the weights of every variant of `digits_64_64_10`, what made them, and the
450 images that they are judged by (extra ``rf``). ``--only`` trains some and keeps the others.
With ``--images`` it trains one network of your own instead, and says how it does with errors.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np

from archsim.engines.rfnn import images, monte_carlo, network
from archsim.engines.rfnn.network import Network, Training, Variant
from archsim.engines.rfnn.spec import Readout
from archsim.engines.rfnn.tensor_train import Form
from archsim.engines.rfnn.training import Recipe, train
from archsim.errors import ArchsimError, InputError

COMMAND = "python -m archsim.engines.rfnn.trained"
PACKAGES = ("numpy", "torch", "scikit-learn")
HERE = Path(__file__).parent
SHOWN_DEG, SHOWN_BITS, DRAWS = (0, 2, 4, 8, 12), (4, 6, 8), 20


def recipe(variant: Variant) -> Recipe:
    """Return how a variant is trained."""
    found = Recipe(variant.training, variant.form, readout=variant.readout)
    return replace(found, rank=variant.rank) if variant.rank else found


def ship(variants: list[Variant], folder: Path) -> None:
    """Train variants and write them into a folder, beside what lies there of others."""
    data = images.digits()
    pixels = np.rint(data.test * images.DIGIT_MOST).astype(np.uint8)
    np.savez_compressed(
        folder / network.IMAGES, pixels=pixels, labels=data.test_labels.astype(np.uint8)
    )
    weights, provenance = folder / network.WEIGHTS, folder / network.PROVENANCE
    arrays: dict[str, Any] = {}
    accuracy: dict[str, float] = {}
    if weights.is_file():
        known = {v.name for v in network.VARIANTS}
        with np.load(weights) as kept:
            arrays |= {name: kept[name] for name in kept.files if name.split("/")[0] in known}
        accuracy |= json.loads(provenance.read_text("utf-8"))["accuracy_percent"]
    for variant in variants:
        net = train(recipe(variant), data)
        arrays |= network.arrays_of(net, f"{variant.name}/")
        found = net.accuracy_percent(data.test, data.test_labels)
        accuracy[variant.name] = round(found, 2)
        print(f"{variant.name}: {found:.1f} %", file=sys.stderr, flush=True)
        unfinished = weights.with_suffix(".part.npz")
        np.savez_compressed(unfinished, allow_pickle=False, **arrays)
        unfinished.replace(weights)
        made = {
            "command": COMMAND,
            "recipe": asdict(Recipe()),
            "versions": {"Python": platform.python_version(), **{p: version(p) for p in PACKAGES}},
            "images": IMAGES_FROM,
            "accuracy_percent": {v.name: accuracy[v.name] for v in network.VARIANTS
                                 if v.name in accuracy},
        }  # fmt: skip
        provenance.write_text(json.dumps(made, indent=1) + "\n", "utf-8")


IMAGES_FROM = (
    "scikit-learn's digits, which are the test part of the UCI ML hand-written digits (E. Alpaydin "
    "and C. Kaynak, 1998, CC BY 4.0): 1,347 to train on, 450 to judge by, shuffled by seed 0"
)


def show(net: Network, data: images.Images) -> None:
    """Print how a network does on meshes of 8 modes with errors."""
    programmed = monte_carlo.put(net, monte_carlo.Hardware())
    judge = monte_carlo.Judge(data.test, data.test_labels)
    exact = net.accuracy_percent(data.test, data.test_labels)
    print(f"{data.name}: {exact:.1f} % of {judge.images:,} images, without errors")
    cases: list[tuple[str, int | None, float]] = [
        (f"{deg} deg", None, deg) for deg in SHOWN_DEG[1:]
    ]
    cases += [(f"{bits} bits", bits, 0) for bits in SHOWN_BITS]
    for name, bits, deg in cases:
        errors = monte_carlo.Errors(bits, float(np.radians(deg)))
        found = monte_carlo.accuracies_percent(programmed, errors, judge, DRAWS)
        print(f"  {name}: {found.mean():.1f} % on average, spread {found.std(ddof=1):.1f}")


def above_zero(text: str) -> int:
    """Return a number of something that there is at least one of."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, not {text!r}")
    return int(text)


def positive(text: str) -> float:
    """Return a finite number above zero."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number above zero, not {text!r}")
    return number


def check(asked: dict[str, Any], only: list[str] | None, where: Path | None) -> None:
    """Raise an error for what would train for nothing, or for something else than was asked."""
    names = [variant.name for variant in network.VARIANTS]
    for name in only or ():
        if name not in names:
            raise InputError("--only", f"must be among {', '.join(names)}", name)
    own = "images" in asked
    if asked and not own:
        raise InputError(
            f"--{next(iter(asked)).replace('_', '-')}", "is for a network of your own",
            fix="name its images: --images digits",
        )  # fmt: skip
    if own and only:
        raise InputError("--only", "is for the networks that ship; leave out --images")
    if where is not None and not (where.parent if own else where).is_dir():
        wanted = "must be a file in a folder that exists" if own else "must be a folder that exists"
        raise InputError(f"-o {where}", wanted)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", help="variants to train, by name")
    parser.add_argument("-o", type=Path, help="folder of what ships, or file of a network")
    parser.add_argument("--images", help="digits, mnist=FOLDER or cifar10=FOLDER")
    for name, choices in (("training", Training), ("form", Form), ("readout", Readout)):
        parser.add_argument(f"--{name}", choices=get_args(choices))
    for name in ("rank", "modes", "epochs", "batch"):
        parser.add_argument(f"--{name}", type=above_zero)
    parser.add_argument("--hidden", type=above_zero, nargs="+")
    for name in ("rate", "sigma-deg", "rho"):
        parser.add_argument(f"--{name}", type=positive)
    parser.add_argument("--seed", type=int)
    asked = {key: value for key, value in vars(parser.parse_args()).items() if value is not None}
    only, where = asked.pop("only", None), asked.pop("o", None)
    try:
        check(asked, only, where)
        if "images" not in asked:
            ship([v for v in network.VARIANTS if only is None or v.name in only], where or HERE)
            return 0
        data = images.load(asked.pop("images"))
        if "hidden" in asked:
            asked["hidden"] = tuple(asked["hidden"])
        net = train(replace(Recipe(), **asked), data)
        if where:
            np.savez_compressed(where, allow_pickle=False, **network.arrays_of(net))
        show(net, data)
    except ArchsimError as fault:
        print(f"error: {fault}", file=sys.stderr)
        return fault.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
