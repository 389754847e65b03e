"""Files of run folders as a hand, a disk or an enemy might have changed them; the same for the same seed."""

import copy
import json
import os
import random
from pathlib import Path
from typing import Any

ODD: list[Any] = [
    None, True, -1, 0, 1, 1.7, 2**31, 2**64, 10**400, -(10**18), 1e308, -1e308, 1e-320,
    float("nan"), float("inf"), "", "x", "2", "nan", "\ud800", "\x00\x1b[2J", "\u202e\ufffe",
    "y" * 200_000, "../../etc/passwd",
    [], [1], [[]] * 1000, {}, {"a": 1}, {"step": "x"},
]  # fmt: skip
TEXTS = [
    "", "{", "[" * 100_000, '{"a":' * 100_000, "null", "\x00", "\ufeff{}", "[1]", '{"a": 1, "a": 2}', "1e999",
    '"\\ud800"', "9" * 5000, "\xff\xfe", "NaN",
]  # fmt: skip
CELLS = [
    "",
    "x",
    "nan",
    "inf",
    "-inf",
    "-1",
    "1.7",
    "1e308",
    "-1e308",
    "1e999",
    "9" * 400,
    '"',
    "\x00",
    "\u0663",
]


def mutate(path: Path, seed: int) -> str:
    """Damage a JSON or CSV file, or put something else in its place; return how."""
    rng = random.Random(seed)
    data = path.read_bytes()
    if rng.random() < 0.05:
        return _replace(path, rng)
    if rng.random() < 0.2:
        changed = _cut(data, rng)
    elif path.suffix == ".json":
        changed = _change_json(data, rng)
    else:
        changed = _change_csv(data.decode(), rng).encode()
    path.write_bytes(changed)
    return f"{path.name}, seed {seed}: {changed[:300]!r}"


def _replace(path: Path, rng: random.Random) -> str:
    path.unlink()
    kind = rng.choice(["pipe", "device", "loop", "dangling link", "folder", "terabyte"])
    links = {"device": "/dev/zero", "loop": path, "dangling link": "nowhere"}
    if kind in links:
        path.symlink_to(links[kind])
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(2**40)
    return f"{path.name}: a {kind}"


def _cut(data: bytes, rng: random.Random) -> bytes:
    at, end = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    noise = rng.randbytes(rng.randrange(8))
    return rng.choice([data[:at], data[at:], data[:at] + noise + data[end:], data[:end] + data[at:], b""])


def _change_json(data: bytes, rng: random.Random) -> bytes:
    if rng.random() < 0.15:
        return rng.choice(TEXTS).encode("latin-1", "replace")
    values = copy.deepcopy(json.loads(data))
    for _ in range(rng.randrange(1, 3)):
        _change_value(values, rng)
    return json.dumps(values).encode()


def _change_value(values: Any, rng: random.Random) -> None:
    """Change, remove or add a value somewhere in a tree of them."""
    while isinstance(values, dict | list) and values:
        keys = list(values) if isinstance(values, dict) else list(range(len(values)))
        key = rng.choice(keys)
        if isinstance(values[key], dict | list) and values[key] and rng.random() < 0.8:
            values = values[key]
            continue
        what = rng.random()
        if what < 0.15:
            del values[key]
        elif what < 0.2 and isinstance(values, dict):
            values[rng.choice(["a", "", "\x1b[2J", "seed", "best"])] = copy.deepcopy(rng.choice(ODD))
        else:
            values[key] = copy.deepcopy(rng.choice(ODD))
        return


def _change_csv(text: str, rng: random.Random) -> str:
    rows = [line.split(",") for line in text.splitlines()]
    row = rng.choice(rows)
    what = rng.randrange(6)
    if what == 0:
        rows.remove(row)
    elif what == 1:
        row.extend(["0.5"] * rng.randrange(1, 2000))
    elif what == 2:
        del row[rng.randrange(len(row)) :]
    elif what == 3:
        rows = [rows[0], *rows[1:] * 50]
    else:
        row[rng.randrange(len(row))] = rng.choice(CELLS)
    return "\n".join(",".join(row) for row in rows)
