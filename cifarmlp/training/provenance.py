"""Provenance: were two things made of the same images, code and numerics?

Trainings, checkpoints, searches and studies note what they are made of, see `environment.fingerprint`. Two
such notes are compared here and nowhere else. Other images make other results, so those are never mixed;
other code or another NumPy, BLAS or processor rounds otherwise, which grows to the spread of seeds.
"""

import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifarmlp.data import Dataset
from cifarmlp.errors import CifarmlpWarning, DataError, RunFolderError
from cifarmlp.text import escape
from cifarmlp.training.environment import Environment, fingerprint, load_environment

Fingerprint = Mapping[str, Any]

NUMERICS = ("numpy", "blas", "cpu", "python", "platform", "threads")
RESULTS = ("result.json", "seeds.csv")  # of a training and of a search
EFFECT = "results may differ in the third digit, by about a seed's spread"


@dataclass(frozen=True)
class Changes:
    """Changes from one fingerprint to another, by kind: for each a phrase as 'numpy was 2.0.0, is 2.5.5'.

    All are empty for two things made of the same images, code and numerics.
    """

    images: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    numerics: tuple[str, ...] = ()

    @property
    def tolerable(self) -> str:
        """Return the changes of code and numerics, to be told or, where strict, refused; else ''.

        >>> Changes(numerics=("numpy was 2.0.0, is 2.5.5",)).tolerable
        'other numerics (numpy was 2.0.0, is 2.5.5)'
        """
        kinds = {"code": self.code, "numerics": self.numerics}
        return " and ".join(f"other {kind} ({'; '.join(found)})" for kind, found in kinds.items() if found)


def find_changes(there: Fingerprint, here: Fingerprint) -> Changes:
    """Compare two fingerprints; what one of them does not say is taken to be the same.

    >>> there = {"images": "0a", "code": "1b", "numpy": "2.0.0", "cpu": "Xeon"}
    >>> find_changes(there, {**there, "numpy": "2.5.5"})
    Changes(images=(), code=(), numerics=('numpy was 2.0.0, is 2.5.5',))
    """
    return Changes(
        tuple(_changes(("images",), there, here)),
        tuple(_changes(_code_keys(there, here), there, here)),
        tuple(_changes(NUMERICS, there, here)),
    )


def changes_between(there: Environment | None, here: Environment | None) -> Changes:
    """Compare two environments, whose number of BLAS threads does not count; of None nothing is known."""
    return find_changes(fingerprint(there), fingerprint(here)) if there and here else Changes()


def refuse_other_origin(subject: object, there: Fingerprint, here: Fingerprint, strict: bool = False) -> None:
    """Refuse to go on with a thing that was made of other images; tell of other code or numerics.

    subject: the thing, mostly its folder. Raises DataError for other images and, if strict, RunFolderError
    for other code or numerics, for which it warns else.
    """
    _refuse(subject, find_changes(there, here), strict)


def _refuse(subject: object, changes: Changes, strict: bool) -> None:
    if changes.images:
        remedy = "give --data-dir with the images that it was made of, or begin anew elsewhere"
        raise DataError(f"{subject}: made of other images than those here ({changes.images[0]}); {remedy}")
    if changes.tolerable and strict:
        remedy = "go on without --strict, or begin anew"
        raise RunFolderError(f"{subject}: made with {changes.tolerable}; {remedy}")
    if changes.tolerable:
        message = f"{subject}: made with {changes.tolerable}: {EFFECT}"
        warnings.warn(message, CifarmlpWarning, stacklevel=3)


def refuse_other_images(dataset: Dataset, images: str) -> None:
    """Raise DataError, in a worker, if its images have another checksum than those that it works for."""
    if dataset.checksum != images:
        where = dataset.place or dataset.source
        remedy = "put the same ones there, and go on with it"
        raise DataError(f"{where}: other images than those that the work was begun with; {remedy}")


def refuse_other_folder(folder: Path, here: Fingerprint, strict: bool = False) -> None:
    """Call `refuse_other_origin` for a folder by its environment.json."""
    refuse_other_folders([folder], here, strict)


def refuse_other_folders(folders: Iterable[Path], here: Fingerprint, strict: bool = False) -> None:
    """Call `refuse_other_folder` for many; those that differ alike are told of in one warning.

    One that is not begun passes. One with results whose environment.json is damaged or gone is told of or, if
    strict, refused, as other images there could not be seen.
    """
    here, alike = {**here, "threads": None}, dict[Changes, list[Path]]()
    for folder in folders:
        if there := _known_environment(folder, strict):
            alike.setdefault(find_changes(fingerprint(there), here), []).append(folder)
    for changes, (first, *others) in sorted(alike.items(), key=lambda item: not item[0].images):
        _refuse(f"{first} and {len(others)} more" if others else first, changes, strict)


def _known_environment(folder: Path, strict: bool) -> Environment | None:
    fault = f"{escape(str(folder))} has no environment.json"
    try:
        environment = load_environment(folder)
        if environment or not any((folder / name).exists() for name in RESULTS):
            return environment
    except RunFolderError as error:
        fault = str(error)
    _tell_unknown(fault, strict)
    return None


def _tell_unknown(fault: str, strict: bool) -> None:
    message = f"{fault}; so its images, code and numerics are not known"
    if strict:
        raise RunFolderError(f"{message}; go on without --strict, or begin anew")
    warnings.warn(f"{message}, and may be others than those here", CifarmlpWarning, stacklevel=5)


def _code_keys(there: Fingerprint, here: Fingerprint) -> tuple[str, ...]:
    """Return the keys that tell other code: the digest of what decides, or without it version and commit."""
    has_digest = there.get("code") is not None and here.get("code") is not None
    return ("code",) if has_digest else ("cifarmlp", "git_commit")


def _changes(keys: tuple[str, ...], there: Fingerprint, here: Fingerprint) -> Iterator[str]:
    for key in keys:
        if key in there and key in here and (was := _words(key, there)) != (now := _words(key, here)):
            yield f"{key} was {was}, is {now}"


def _words(key: str, of: Fingerprint) -> str:
    value = of[key]
    if key in ("images", "code") and isinstance(value, str):
        return value[:12]
    if key == "platform":
        return _system(str(value))
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _system(platform: str) -> str:
    """Return the name of a platform without its kernel's version, which decides no number.

    >>> _system("Linux-6.8.0-1012-aws-x86_64-with-glibc2.35")
    'Linux-x86_64-with-glibc2.35'
    """
    return re.sub(r"^Linux-.*-(\w+-with)", r"Linux-\1", platform)
