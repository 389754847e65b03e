"""A case: a small network, a mini-batch and the settings of an update, drawn so that every mistake shows."""

import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cifarmlp import files
from cifarmlp.errors import ConfigError, DataError
from cifarmlp.owncode.reference import Array, Case, answers_of
from cifarmlp.text import escape

if TYPE_CHECKING:  # `diagnose` needs no configs, and starts faster without
    from cifarmlp.config import Config

CLASSES = 10
SMALL_PIXELS, SMALL_WIDTHS = 100, (10, 8, 6)
EPS, ETA = 1e-3, 0.1  # an eps that large shows where it stands
SCALARS = {"lambda": "lam", "eps": "eps", "eta": "eta", "rho": "rho", "momentum": "momentum"}
MOST_BYTES = 2**28
DRAWS = 20


def small(config: "Config") -> tuple[int, list[int]]:
    """Return the pixels and widths of a config made small: as many layers, of 10, 8, 6, 10, ... units."""
    return SMALL_PIXELS, [SMALL_WIDTHS[n % 3] for n in range(len(config.network.hidden))]


def draw_case(
    config: "Config", pixels: int, hidden: Sequence[int], images: int, rng: np.random.Generator
) -> Case:
    """Draw a case of the config's kind: the draw of some whose ReLUs are farthest from their kinks.

    Raises ConfigError if the config has a setting that a case knows no answers for.
    """
    for key, remedy in _unknown_settings(config):
        raise ConfigError(f"{key}: a case has no answers for this setting yet; --set {key}={remedy}")
    draws = [_draw(config, [pixels, *hidden, CLASSES], images, rng) for _ in range(DRAWS)]
    return max(draws, key=distance_to_kink)


def _unknown_settings(config: "Config") -> Iterator[tuple[str, str]]:
    """Yield the key of each setting that `reference` does not compute, with a value that it does."""
    network, training = config.network, config.training
    if network.activation.kind != "relu":
        yield "network.activation", "relu"
    if network.batch_norm and network.batch_norm.position == "after":
        yield "network.batch_norm.position", "before"
    if any(network.dropout.rates(len(network.hidden))):
        yield "network.dropout", "0"
    if training.loss.in_words():
        yield "training.loss", "cross_entropy"
    if training.optimiser.kind not in ("sgd", "momentum"):
        yield "training.optimiser", "sgd"


def distance_to_kink(case: Case) -> float:
    """Return the smallest distance of a ReLU's input from 0."""
    quantities, _ = answers_of(case)
    inputs = [
        case[f"gamma{n}"] * quantities[f"shat{n}"] + case[f"beta{n}"]
        if case.is_normalised
        else quantities[f"s{n}"]
        for n in range(1, case.depth)
    ]
    return min((float(np.abs(y).min()) for y in inputs), default=np.inf)


def _draw(config: "Config", sizes: Sequence[int], images: int, rng: np.random.Generator) -> Case:
    norm, training = config.network.batch_norm, config.training
    arrays: dict[str, Array] = {"X": rng.standard_normal((images, sizes[0])), **_labels(images, rng)}
    for n, (fan_in, out) in enumerate(pairwise(sizes), start=1):
        arrays[f"W{n}"] = 0.7 / np.sqrt(fan_in) * rng.standard_normal((fan_in, out))
        arrays[f"b{n}"] = _off_zero(out, rng)
        if norm and n < len(sizes) - 1:
            arrays[f"gamma{n}"] = rng.uniform(0.5, 1.5, out)
            arrays[f"beta{n}"] = _off_zero(out, rng)
            arrays[f"running_mean{n}"] = _off_zero(out, rng)
            arrays[f"running_var{n}"] = rng.uniform(0.5, 1.5, out)
    momentum = _momentum(config)
    if momentum is not None:
        names = [name for name in arrays if name.startswith(("W", "b", "gamma"))]
        arrays |= {f"v{name}": 0.01 * rng.standard_normal(arrays[name].shape) for name in names}
    return Case(arrays, training.lam, EPS, ETA, norm.momentum if norm else 0.9, momentum)


def _momentum(config: "Config") -> float | None:
    optimiser = config.training.optimiser
    return optimiser.rho if optimiser.kind == "momentum" else None


def _labels(images: int, rng: np.random.Generator) -> dict[str, Array]:
    """Labels with every class where there are images enough, and some classes more often than others."""
    shares = np.arange(1, CLASSES + 1) / 55
    rest = rng.choice(CLASSES, max(0, images - CLASSES), p=shares)
    labels = rng.permutation(np.concatenate([rng.permutation(CLASSES), rest])[:images])
    return {"labels": labels.astype(float), "Y": np.eye(CLASSES)[labels]}


def _off_zero(count: int, rng: np.random.Generator) -> Array:
    signs = rng.choice([-1.0, 1.0], count)
    result: Array = signs * rng.uniform(0.1, 0.5, count)
    return result


# Files


def in_layout(name: str, array: Array, layout: str) -> Array:
    """Return an array of rows in a layout: in columns X is (d, n), W (out, in) and a vector (out, 1)."""
    if layout == "rows" or array.ndim == 0:
        return array
    return array.reshape(-1, 1) if array.ndim == 1 and name != "labels" else array.T


def write_case(path: Path, case: Case, layout: str) -> None:
    """Write a case as .npz, or as .mat for MATLAB and Octave. Raises ConfigError for another ending."""
    scalars = {name: np.asarray(getattr(case, field)) for name, field in SCALARS.items()
               if getattr(case, field) is not None}  # fmt: skip
    arrays = {name: in_layout(name, array, layout) for name, array in case.arrays.items()}
    names = np.array(list(answers_of(case)[0]))
    if path.suffix == ".npz":
        files.write_arrays(path, {**arrays, **scalars, "answers": names, "layout": np.array(layout)})
    elif path.suffix == ".mat":
        from scipy.io import savemat

        cells = np.array(names, dtype=object)
        content = io.BytesIO()
        savemat(content, {**arrays, **scalars, "answers": cells, "layout": layout}, oned_as="column")
        files.write(path, lambda file: file.write(content.getvalue()))
    else:
        raise ConfigError(f"{escape(str(path))}: a case is a file .npz, or .mat for MATLAB and Octave")


def read_case(path: Path) -> Case:
    """Read a case that `write_case` wrote. Raises DataError if the file is none."""
    arrays = read_arrays(path)
    missing = [
        name for name in ("X", "labels", "Y", "W1", "b1", "layout", *list(SCALARS)[:4]) if name not in arrays
    ]
    if missing:
        raise DataError(
            f"{escape(str(path))}: not a case, it lacks {', '.join(missing)}; cifarmlp case writes one"
        )
    try:
        scalars = {field: float(arrays[name].item()) for name, field in SCALARS.items() if name in arrays}
        columns = str(arrays["layout"].ravel()[0]) == "columns"
        rest = {
            n: a for n, a in arrays.items() if n not in SCALARS and not n.startswith(("answers", "layout"))
        }
        case = Case({n: _as_rows(n, a, columns) for n, a in rest.items()}, **scalars)
        answers_of(case)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise DataError(f"{escape(str(path))}: a damaged case ({error}); write it anew") from error
    return case


def _as_rows(name: str, array: Any, columns: bool) -> Array:
    if name in ("X", "Y") or name.startswith(("W", "vW")):
        matrix = np.atleast_2d(np.asarray(array, float))
        return matrix.T if columns else matrix
    return np.asarray(array, float).ravel()


def read_arrays(path: Path) -> dict[str, Any]:
    """Read the arrays of an .npz or .mat file; nothing in it is ever run. Raises DataError."""
    name = escape(str(path))
    try:
        if not path.is_file():
            raise DataError(f"{name}: no such file")
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{name}: larger than {MOST_BYTES // 2**20} MB: is it the right file?")
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror}") from error
    if not data:
        raise DataError(f"{name}: empty; save your arrays to it with np.savez, or save in MATLAB")
    return _read_npz(name, data) if data.startswith(b"PK") else _read_mat(name, data)


def _read_npz(name: str, data: bytes) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(member.file_size for member in archive.infolist()) > MOST_BYTES:
                raise DataError(f"{name}: its arrays are larger than {MOST_BYTES // 2**20} MB")
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return dict(_plain(name, arrays))
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, MemoryError, NotImplementedError) as error:
        raise DataError(f"{name}: not an .npz that can be read ({error}); write it with np.savez") from error


def _plain(name: str, arrays: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in arrays:
        try:
            yield key, arrays[key]
        except ValueError as error:
            if "pickle" not in str(error).lower():
                raise
            raise DataError(
                f"{name}: {escape(key)} is a pickled object, which is not opened; save each matrix under "
                "a name of its own, such as dW1=grads[0]"
            ) from error


def _read_mat(name: str, data: bytes) -> dict[str, Any]:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    if data.startswith(b"\x89HDF") or b"MATLAB 7.3" in data[:128]:
        raise DataError(f"{name}: a MATLAB file of version 7.3; save it with -v7")
    if not data.startswith(b"MATLAB") and b"MAT" not in data[:128]:
        raise DataError(f"{name}: neither .npz nor .mat; save with np.savez, or with -v7 in MATLAB")
    try:
        found = loadmat(io.BytesIO(data))
    except (MatReadError, ValueError, TypeError, NotImplementedError, OSError, KeyError, IndexError, EOFError,
            MemoryError) as error:  # fmt: skip
        raise DataError(f"{name}: not a .mat that can be read ({error}); save it with -v7") from error
    return dict(_flat({key: value for key, value in found.items() if not key.startswith("__")}))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield plain arrays: a cell W becomes W1, W2, ..., a struct grads with a field W becomes grads_W."""
    for key, value in values.items():
        if isinstance(value, np.ndarray) and value.dtype.names:
            fields = {field: value[field].ravel()[0] for field in value.dtype.names if value.size}
            yield from _flat(fields, f"{prefix}{key}_")
        elif isinstance(value, np.ndarray) and value.dtype == object:
            yield from _flat({f"{key}{n}": cell for n, cell in enumerate(value.ravel(), start=1)}, prefix)
        else:
            yield f"{prefix}{key}", value
