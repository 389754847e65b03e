"""Models for other programs: a model.npz or snapshot becomes the files of another format."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from keyword import iskeyword
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cifarmlp import files
from cifarmlp.config import Config
from cifarmlp.data import class_names
from cifarmlp.errors import ConfigError
from cifarmlp.runs import onnx_model, torch_model
from cifarmlp.runs.folder import Seed
from cifarmlp.runs.model import load_network
from cifarmlp.text import escape
from cifarmlp.training.build import model_arrays
from cifarmlp.training.loop import Training
from cifarmlp.training.outcome import MODEL

FORMATS = {"onnx": (".onnx",), "safetensors": (".safetensors",), "torch": (".py", ".safetensors")}
LIBRARIES = {"onnx": "onnx", "safetensors": "safetensors", "torch": "safetensors"}
# By suffix, from a network, its config and the names of the classes.
CONTENTS: dict[str, Callable[[Training, Config, tuple[str, ...]], bytes]] = {
    ".onnx": onnx_model.graph_bytes,
    ".safetensors": lambda training, *_: torch_model.state_bytes(training),
    ".py": lambda *model: torch_model.module_text(*model).encode(),
}


def export_model(seed: Seed, form: str, out: Path | None = None, *, force: bool = False) -> list[Path]:
    """Write the model of a training in one of FORMATS, and return the paths of the files.

    out: the file, or a folder for one named after the run; by default the current folder. force: replace
    files that are there. Raises ConfigError where there are some, if the name does not fit the format, its
    library is not installed or the network diverged; RunFolderError as `load_network`, or where a file cannot
    be written.
    """
    path = _target(seed, form, out)
    paths = [path.with_suffix(suffix) for suffix in FORMATS[form]]
    _refuse_taken(paths, force)
    _check_library(form)
    training = load_network(seed.folder / seed.model_file, seed.config)
    _check_finite(seed, training)
    names = class_names(seed.config.data.source)
    contents = {each: CONTENTS[each.suffix](training, seed.config, names) for each in paths}
    for each in reversed(paths):  # a module after the weights that it reads
        files.write(each, partial(_put, contents[each]))
    return paths


def _put(content: bytes, file: BinaryIO) -> None:
    file.write(content)


def _target(seed: Seed, form: str, out: Path | None) -> Path:
    """Return the path of the first file: `out`, or in that folder a file named after the run."""
    suffix, place = FORMATS[form][0], out or Path()
    path = place / f"{_name(seed, form)}{suffix}" if place.is_dir() else place
    fault = f"--out {escape(str(path))}: give a folder that exists, or a name that"
    if path.suffix != suffix:
        raise ConfigError(f"{fault} ends in {suffix}")
    if form == "torch" and not _can_be_imported(path.stem):
        raise ConfigError(f"{fault} Python can import, such as {_name(seed, form)}{suffix}")
    return path


def _name(seed: Seed, form: str) -> str:
    """Return the name of a model's file: of run, seed and snapshot; for a module one that can be imported."""
    folder = seed.folder.resolve()
    name = f"{folder.parent.name}-{folder.name}" if folder.name.startswith("seed-") else folder.name
    if seed.model_file != MODEL:
        name += f"-{Path(seed.model_file).stem}"
    if form != "torch":
        return name
    name = re.sub(r"\W", "_", name)
    return name if _can_be_imported(name) else f"model_{name}"


def _can_be_imported(name: str) -> bool:
    return name.isidentifier() and not iskeyword(name) and name not in ("torch", "safetensors")


def _refuse_taken(paths: Sequence[Path], force: bool) -> None:
    for path in paths:
        if path.exists() and not force:
            raise ConfigError(f"{escape(str(path))}: exists already; give another --out, or --force")


def _check_library(form: str) -> None:
    try:
        import_module(LIBRARIES[form])
    except ImportError as error:
        raise ConfigError(f"--to {form} needs {LIBRARIES[form]}: pip install 'cifarmlp[export]'") from error


def _check_finite(seed: Seed, training: Training) -> None:
    if not all(np.isfinite(array).all() for array in model_arrays(training).values()):
        raise ConfigError(f"{escape(str(seed.folder))}: diverged: its weights are not finite")
