"""Finding config files, and reading one together with those that it extends.

cifarmlp/config is this package; cifarmlp/configs, in a wheel only, is the folder of the shipped YAML files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

import cifarmlp
from cifarmlp.config.merge import merge
from cifarmlp.config.strict_yaml import Fault, Node, Place, Source, parse, place_after
from cifarmlp.errors import ConfigError
from cifarmlp.files import MOST_ARRAYS, open_regular
from cifarmlp.text import escape, quote, shorten

MAX_BYTES = 256 * 1024
MAX_LEVELS = 10


def shipped_configs() -> dict[str, Path]:
    """Return the configs that come with the package by name (`quickstart`, `report-2/figure-3`)."""
    folder = shipped_folder()
    paths = sorted(path.relative_to(folder) for path in folder.rglob("*.yaml"))
    return {path.with_suffix("").as_posix(): folder / path for path in paths if path.parts[0] != "studies"}


def shipped_studies() -> dict[str, Path]:
    """Return the studies that come with the package by name (`report-1`)."""
    return {path.stem: path for path in sorted((shipped_folder() / "studies").glob("*.yaml"))}


def find_study(name: str) -> Path:
    """Return the path of a study given as a path or by a shipped one's name. Raises ConfigError."""
    shipped, wanted = shipped_studies(), name.removesuffix(".yaml")
    if wanted in shipped and not _is(Path(name), "is_file"):
        return shipped[wanted]
    if not _is(Path(name), "exists"):
        if wanted in shipped_configs():
            raise ConfigError(f"{name}: a config, no study; train it: cifarmlp train {name}")
        hint = _did_you_mean(wanted, dict(zip(shipped, shipped, strict=True)))
        message = f"no such file or shipped study{hint}; `cifarmlp study` lists the shipped ones"
        raise ConfigError(f"{escape(shorten(name))}: {message}")
    return Path(name)


def shipped_folder() -> Path:
    """Return the folder of the shipped configs: beside the package in a checkout, inside it in a wheel."""
    package = Path(cifarmlp.__file__).resolve().parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def find_config(name: str) -> Path:
    """Return the path of a config given as a path or by a shipped one's name or unique last part.

    Raises ConfigError.
    """
    path = Path(os.path.expanduser(name))
    if _is(path, "is_file"):
        return path
    shipped = shipped_configs()
    wanted = name.removesuffix(".yaml")
    matches = [shipped[wanted]] if wanted in shipped else [p for p in shipped.values() if p.stem == wanted]
    if len(matches) == 1:
        return matches[0]
    if _is(path, "exists"):
        return path
    raise ConfigError(f"{escape(shorten(name))}: {_no_such_config(wanted, shipped)}")


def _is(path: Path, question: str) -> bool:
    try:
        return bool(getattr(path, question)())
    except (OSError, ValueError):  # such as a name that is too long for the file system
        return False


def _no_such_config(name: str, shipped: dict[str, Path]) -> str:
    several = [known for known, path in shipped.items() if path.stem == name]
    if several:
        return f"several shipped configs have this name: write {_join_with_or(several)}"
    stems = {path.stem: known for known, path in shipped.items()}
    hint = _did_you_mean(name, stems | dict(zip(shipped, shipped, strict=True)))
    return f"no such file or shipped config{hint}; `cifarmlp configs` lists the shipped ones"


def _did_you_mean(name: str, known: dict[str, str]) -> str:
    near = dict.fromkeys(known[match] for match in get_close_matches(name[:100], known, n=2, cutoff=0.7))
    return f"; did you mean {_join_with_or(near)}?" if near else ""


def _join_with_or(names: Iterable[str]) -> str:
    return " or ".join(map(quote, names))


def read_tree(path: Path, faults: list[Fault], children: tuple[Path, ...] = ()) -> Node | None:
    """Return a file's tree merged over those of the files that it extends; None where it cannot be read.

    Adds what is wrong to `faults`. `children` are the files that extend this one.
    """
    source = Source(len(children), str(path))
    text = _read_text(path, source, faults)
    if text is None:
        return None
    tree, new = parse(text, source)
    if not new and (tree is None or tree.value is None):
        new = [Fault(Place(source), "the file is empty: write at least one setting, such as 'seed: 1'")]
    elif tree and not isinstance(tree.value, dict):
        new.append(Fault(tree.place, "a config is a mapping of keys to values, such as 'seed: 1'"))
    faults += new
    if tree is None or not isinstance(tree.value, dict):
        return None
    return _with_parent(tree, path, faults, (*children, path.resolve()))


def _with_parent(tree: Node, path: Path, faults: list[Fault], family: tuple[Path, ...]) -> Node | None:
    link = tree.value.get("extends")
    if link is None:
        return tree
    rest = Node({key: node for key, node in tree.value.items() if key != "extends"}, tree.place, tree.key)
    try:
        parent_path = _parent(link.value, path, family)
    except ConfigError as error:
        faults.append(Fault(link.place, f"extends: {error}"))
        return rest
    parent = read_tree(parent_path, faults, family)
    return merge(parent, rest) if parent else rest


def find_beside(name: str, path: Path) -> Path:
    """Return the path of the config that a file names: one beside the file, else as by `find_config`."""
    beside = path.parent / name
    return beside if _is(beside, "exists") else find_config(name)


def _parent(name: object, path: Path, family: tuple[Path, ...]) -> Path:
    if not isinstance(name, str) or not name:
        raise ConfigError("this is not text: write a config's file or name")
    parent = find_beside(name, path)
    if parent.resolve() in family:
        raise ConfigError(f"{quote(name)} extends this file in turn: break the circle")
    if len(family) > MAX_LEVELS:
        raise ConfigError(f"more than {MAX_LEVELS} files extend one another: merge some of them")
    return parent


def _read_text(path: Path, source: Source, faults: list[Fault]) -> str | None:
    place = Place(source._replace(whole=True))
    try:
        data = _read_bytes(path)
    except (OSError, ValueError) as error:
        faults.append(Fault(place, _why_unreadable(path, error)))
        return None
    if len(data) > MAX_BYTES:
        faults.append(Fault(place, f"larger than {MAX_BYTES // 1024} kB: is this a config?"))
        return None
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        place = place_after(data[: error.start].decode(), source)
        words = f"not UTF-8 text (byte 0x{data[error.start]:02x}): save the file as UTF-8"
        faults.append(Fault(place, words))
        return None


def _read_bytes(path: Path) -> bytes:
    with open_regular(path, MOST_ARRAYS) as file:
        return file.read(MAX_BYTES + 1)


def _why_unreadable(path: Path, error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        hint = _did_you_mean(path.stem, {other.stem: str(other) for other in path.parent.glob("*.yaml")})
        return f"no such file{hint or ': check the path'}"
    if isinstance(error, IsADirectoryError):
        return "a folder: name a config in it"
    if isinstance(error, PermissionError):
        return "you may not read this file: change its permissions"
    return f"cannot be read: {error.strerror if isinstance(error, OSError) else error}"
