"""The places where CIFAR-10 is searched for, and where it is downloaded to."""

import os
from importlib.util import find_spec
from pathlib import Path

from cifarmlp.data import batch_files, cache, cifar10, download
from cifarmlp.errors import DataError
from cifarmlp.text import escape


def find(data_dir: Path | None = None) -> Path:
    """Return the folder or archive of CIFAR-10.

    Searched are `data_dir` where given, else $CIFARMLP_DATA where set, else the cache and the usual places of
    torchvision, Keras and, if pyarrow is there to read them, the Hugging Face hub. Each may be the
    folder or the archive, or contain either. Raises DataError with the places, what was looked for, and the
    remedies.
    """
    places = _places(data_dir)
    for place in places:
        if path := _locate(place):
            return path
    listed = escape(", ".join(map(str, places)))
    lacking = "".join(f" ({hint})" for place in places if (hint := _hint(place)))
    raise DataError(
        f"no complete CIFAR-10 in {listed}{lacking}: looked for {cifar10.FORMS}; download it with `cifarmlp "
        "data fetch`, point --data-dir or $CIFARMLP_DATA at it, or train on synthetic images with `--set "
        "data.source=synthetic`"
    )


def find_or_fetch(
    data_dir: Path | None = None, progress: download.Progress | None = None, form: str | None = None
) -> Path:
    """Find CIFAR-10 as `find` does, and download the official archive where there is none.

    It goes to `data_dir` where given, else $CIFARMLP_DATA where set, else the cache. form: "python",
    "binary" or "matlab", of the archive to have there, whatever else there is.
    """
    place = _places(data_dir)[0]
    if form:
        return download.fetch(place, download.ARCHIVES[form], progress=progress)
    try:
        return find(data_dir)
    except DataError:
        return download.fetch(place, progress=progress)


def given_place(data_dir: Path | None) -> Path | None:
    """Return `data_dir`, else what $CIFARMLP_DATA says, else None."""
    given = data_dir or os.environ.get("CIFARMLP_DATA")
    return cache.expand(given) if given else None


def _locate(place: Path) -> Path | None:
    try:
        return cifar10.locate(place)
    except OSError as error:
        raise DataError(
            f"{escape(str(place))}: cannot be read ({error.strerror}); name another place"
        ) from error


def _hint(place: Path) -> str:
    """Return what a place that has some of the images lacks."""
    lacking = {path: batch_files.missing(path) for path in cifar10.candidates(place)}
    return "; ".join(
        f"{path} lacks {', '.join(names)}" for path, names in lacking.items() if 0 < len(names) < 6
    )


def _places(data_dir: Path | None) -> list[Path]:
    if given := given_place(data_dir):
        return [given]
    home = cache.home_folder()
    keras_home = os.environ.get("KERAS_HOME") or (home and home / ".keras")
    keras = [Path(keras_home) / "datasets"] if keras_home else []
    torchvision = [Path("data"), Path("data/cifar10"), Path("datasets")]
    torchvision += [home / "data", home / "datasets"] if home else []
    keras += [each / "cifar-10-batches-py-target" for each in keras]
    return [cache.cache_dir(), *torchvision, *keras, *_hub(home)]


def _hub(home: Path | None) -> list[Path]:
    """Return the cache of the Hugging Face hub, where its files could be read.

    https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables
    """
    if not find_spec("pyarrow"):
        return []
    if hub := os.environ.get("HF_HUB_CACHE"):
        return [Path(hub)]
    if hub := os.environ.get("HF_HOME"):
        return [Path(hub) / "hub"]
    if caches := os.environ.get("XDG_CACHE_HOME"):
        return [Path(caches) / "huggingface/hub"]
    return [home / ".cache/huggingface/hub"] if home else []
