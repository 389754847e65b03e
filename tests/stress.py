"""Break trainings, files and inputs at random, and look at what comes out: python tests/stress.py [--long].

The trainings are those of tiny.py, in processes forked from this one, so that one takes a fraction of a
second; they go through the command line's own main, with the images and the picture of the curves replaced.
A search runs as it is.
"""

import argparse
import builtins
import errno
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["CIFARMLP_THREADS"] = "1"  # no threads, as this forks

from helpers import batch_pickles, tiny
from tabulate import tabulate

from cifarmlp import data
from cifarmlp.cli import main as main_
from cifarmlp.config import load_config, shipped_configs
from cifarmlp.data import pickles
from cifarmlp.errors import CifarmlpError, CifarmlpWarning, ConfigError
from cifarmlp.render import svg
from cifarmlp.report import comparison
from cifarmlp.report import search as report_search
from cifarmlp.search import run as search_run
from cifarmlp.search import summary
from cifarmlp.search import worker as search_worker
from cifarmlp.study import plan
from cifarmlp.training import checkpoint, environment, workers
from cifarmlp.training import curves as training_curves
from cifarmlp.training import run as training_run

RUN = Path("runs") / "quickstart-001"
STEPS = 80
TRAIN = ["train", "quickstart", "--set", f"training.steps={STEPS}"]
TRAIN += [part for setting in tiny.SETTINGS for part in ("--set", setting)]
RESUME = ["train", "--resume", str(RUN)]
FAULTS = [errno.ENOSPC, errno.EIO, errno.EACCES]
OFTEN = 1e9  # checkpoints at every record
COLUMNS = ["what was done", "times", "lost", "wrong", "tracebacks", "code run", "remarks"]


@dataclass
class Tally:
    """What came out of one kind of damage. lost: could not be resumed, or took too long."""

    name: str
    times: int = 0
    lost: int = 0
    wrong: int = 0
    tracebacks: int = 0
    ran: int = 0
    remarks: dict[str, int] = field(default_factory=dict)

    def remark(self, text: str) -> None:
        self.remarks[text] = self.remarks.get(text, 0) + 1

    def row(self) -> list[Any]:
        remarks = ", ".join(f"{text}: {count}" for text, count in sorted(self.remarks.items()))
        return [self.name, self.times, self.lost, self.wrong, self.tracebacks, self.ran, remarks]

    def failed(self) -> bool:
        return bool(self.lost or self.wrong or self.tracebacks or self.ran or not self.times)


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code, below zero for a signal, and all that it printed."""

    code: int
    told: str

    @property
    def errors(self) -> int:
        return self.told.count("error: ")

    @property
    def crashed(self) -> bool:
        return "Traceback" in self.told


def replace_what_is_slow() -> None:
    dataset = tiny.dataset()
    data.load = workers.load = lambda *_, **__: dataset  # type: ignore[assignment]
    search_run.load = search_worker.load = plan.load = lambda *_, **__: dataset  # type: ignore[assignment]
    drawn = [(training_curves, "draw_seeds"), (comparison, "draw_overlay"), (report_search, "draw_trials")]
    for module, name in drawn:
        setattr(module, name, lambda *_, **__: tiny.Figure())
    summary.draw_trials = lambda *_, **__: tiny.Figure()  # type: ignore[assignment, return-value]
    svg.inline = lambda *_, **__: "<svg></svg>"
    training_run.draw_training = lambda *_: tiny.Figure()  # type: ignore[assignment, return-value]
    environment._git_commit = lambda: None
    warnings.simplefilter("ignore", CifarmlpWarning)


# ------------------------------------------------------------------------------------------- forked commands


def begin(place: Path, args: list[str], spoil: Callable[[], None] = lambda: None) -> int:
    """Begin a command in a process of its own, which `spoil` is called in; its id."""
    sys.stdout.flush()
    (place / "told").write_text("")  # it may be killed before it gets so far
    pid = os.fork()
    if pid == 0:
        try:
            os.chdir(place)
            output = os.open("told", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(output, 1)
            os.dup2(output, 2)
            sys.argv = ["cifarmlp", *args]
            os._exit(_main(spoil))
        finally:
            os._exit(99)
    return pid


def _main(spoil: Callable[[], None]) -> int:
    code: Any = 0
    try:
        spoil()
        main_.main()
    except SystemExit as ending:
        code = ending.code
    except BaseException:
        traceback.print_exc()
        code = 98
    sys.stdout.flush()
    return int(code or 0)


def wait(place: Path, pid: int) -> Ended:
    _, status = os.waitpid(pid, 0)
    return Ended(os.waitstatus_to_exitcode(status), (place / "told").read_text(errors="replace"))


def run(place: Path, args: list[str], spoil: Callable[[], None] = lambda: None) -> Ended:
    return wait(place, begin(place, args, spoil))


def often() -> None:
    checkpoint.MAX_TIME_SHARE = OFTEN


def resume(place: Path, tally: Tally, expected: dict[str, Any]) -> None:
    """Go on until it ends, and judge that."""
    if not (place / RUN / "config.yaml").exists():
        tally.remark("before there was anything to resume")
        shutil.rmtree(place / "runs", ignore_errors=True)
    begun = (place / RUN).exists()
    ended = run(place, RESUME if begun else TRAIN)
    tally.tracebacks += ended.crashed
    if ended.code != 0:
        tally.lost += 1
        tally.remark(ended.told.strip().splitlines()[-1][:100])
    elif tiny.results(place / RUN) != expected:
        tally.wrong += 1


def places(root: Path, count: int) -> Iterator[Path]:
    """Empty folders, one after the other."""
    for _ in range(count):
        place = Path(tempfile.mkdtemp(dir=root))
        yield place
        shutil.rmtree(place)


# ------------------------------------------------------------------------------------------- kinds of damage


def kills(count: int, rng: random.Random, root: Path, expected: dict[str, Any]) -> Tally:
    """kill -9 at a random moment, or several."""
    tally, took = Tally("kill -9 at a random moment"), _seconds(root)
    for place in places(root, count):
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            begun = (place / RUN / "config.yaml").exists()
            pid = begin(place, RESUME if begun else TRAIN, often if rng.random() < 0.5 else lambda: None)
            time.sleep(rng.uniform(0, took))
            os.kill(pid, signal.SIGKILL)
            killed = wait(place, pid).code == -signal.SIGKILL
            tally.times += killed
            tally.remark("killed" if killed else "ended before")
        resume(place, tally, expected)
    return tally


def _seconds(root: Path) -> float:
    started = time.monotonic()
    for place in places(root, 1):
        run(place, TRAIN)
    return time.monotonic() - started


class Calls:
    """Counts what is asked of the disk in the run folders, and lets the n-th call go wrong."""

    def __init__(self, n: int, wrong: Callable[[str], None], log: Path | None = None) -> None:
        self.n, self.wrong, self.count, self.log = n, wrong, 0, log

    def __call__(self, name: str) -> bool:
        self.count += 1
        if self.log:
            with builtins.open(self.log, "a") as file:
                file.write(".")
        return self.count == self.n

    def install(self) -> None:
        often()
        for module, name in [(os, n) for n in ("open", "mkdir", "replace", "chmod", "unlink", "fsync")]:
            setattr(module, name, self._spoilt(getattr(module, name), name))
        io.open = self._spoilt(io.open, "read")  # of pathlib
        fdopen = os.fdopen
        os.fdopen = lambda *args: File(fdopen(*args), self)  # type: ignore[assignment]

    def _spoilt(self, function: Callable[..., Any], name: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            ours = name == "fsync" or "runs" in str(args[0])
            if ours and self(name):
                self.wrong(name)
            return function(*args, **named)

        return call


class File:
    """A file of which one write goes wrong when half of it is done."""

    def __init__(self, file: Any, calls: Calls) -> None:
        self.file, self.calls = file, calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)

    def __enter__(self) -> "File":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def write(self, content: Any) -> int:
        if self.calls("write"):
            self.file.write(memoryview(content).cast("B")[: memoryview(content).nbytes // 2])
            self.file.flush()
            self.calls.wrong("write")
        return int(self.file.write(content))


def _calls(root: Path, args: list[str] = TRAIN, prepare: Callable[[Path], None] = lambda place: None) -> int:
    """How many calls a whole training, or another command, makes."""
    for place in places(root, 1):
        prepare(place)
        counted = Calls(0, lambda name: None, place / "calls")
        run(place, args, counted.install)
        return len((place / "calls").read_text())
    raise AssertionError


def kills_in_saves(count: int, rng: random.Random, root: Path, expected: dict[str, Any]) -> Tally:
    """kill -9 before the n-th call to the disk, or within a write."""
    tally, calls = Tally("kill -9 at a call to the disk"), _calls(root)
    positions = sorted(rng.sample(range(1, calls + 1), min(count, calls)))
    tally.remark(f"of {calls} calls")
    for n, place in zip(positions, places(root, len(positions)), strict=True):
        ended = run(place, TRAIN, Calls(n, lambda name: os.kill(os.getpid(), signal.SIGKILL)).install)
        tally.times += 1
        tally.lost += ended.code != -signal.SIGKILL
        resume(place, tally, expected)
    return tally


STUDY = ["study", "s.yaml", "--jobs", "1", "--quiet"]
STUDY += [part for setting in tiny.SETTINGS for part in ("--set", setting)]
STUDY_FILES = {
    "s.yaml": """\
title: Small
base: quickstart
repeats: 2
sections:
  - title: One
    experiments: [{name: a, repeats: 1, set: {training.steps: 8}}, {name: b, set: {training.steps: 4}}]
    comparisons: [{claim: a is better, of: [a, b]}]
  - title: Search
    search: {config: wide.yaml}
""",
    "wide.yaml": """\
extends: quickstart
training: {steps: 4}
search: {coarse: {trials: 2, space: {training.lambda: {log_uniform: [1.0e-5, 1.0e-1]}}}}
""",
}


def prepare_study(place: Path) -> None:
    for name, text in STUDY_FILES.items():
        (place / name).write_text(text)


def kills_in_studies(count: int, rng: random.Random, root: Path, _: dict[str, Any]) -> Tally:
    """kill -9 of a study before the n-th call to the disk, or within a write; then the same command."""
    tally, calls = Tally("kill -9 of a study at a call to the disk"), _calls(root, STUDY, prepare_study)
    positions = sorted(rng.sample(range(1, calls + 1), min(count, calls)))
    tally.remark(f"of {calls} calls")
    expected = None
    for n, place in zip([0, *positions], places(root, 1 + len(positions)), strict=True):
        prepare_study(place)
        if n:
            killed = run(place, STUDY, Calls(n, lambda name: os.kill(os.getpid(), signal.SIGKILL)).install)
            tally.times += 1
            tally.lost += killed.code != -signal.SIGKILL
        ended = run(place, STUDY)
        tally.tracebacks += ended.crashed
        expected = expected or _study_results(place)
        if ended.code != 0:
            tally.lost += 1
            tally.remark(f"call {n}: {ended.told.strip().splitlines()[-1][:100]}")
        elif _study_results(place) != expected:
            tally.wrong += 1
    return tally


def _study_results(place: Path) -> dict[str, Any]:
    """What must be the same of two such studies: each training, and each search but for its seconds."""
    folder = max((place / "runs").glob("s-*"))
    results: dict[str, Any] = {}
    for path in folder.rglob("result.json"):
        results[str(path.relative_to(folder))] = tiny.results(path.parent)
    for path in folder.glob("s-search-*/trials.csv"):
        results["trials"] = [line.rpartition(",")[0] for line in path.read_text().splitlines()]
    return results


def _raises(number: int) -> Callable[[str], None]:
    def wrong(name: str) -> None:
        print(f"failing: {name}", flush=True)
        raise OSError(number, os.strerror(number))

    return wrong


def faults(every: int, rng: random.Random, root: Path, expected: dict[str, Any]) -> Tally:
    """An error of the disk at every `every`-th call."""
    tally, calls = Tally("an error of the disk at a call to it"), _calls(root)
    tally.remark(f"of {calls} calls")
    first = rng.randint(1, every)
    for n in range(first, calls + 1, every):
        for place in places(root, 1):
            ended = run(place, TRAIN, Calls(n, _raises(FAULTS[n % 3])).install)
            _judge_fault(ended, tally)
            if (place / RUN / "config.yaml").exists():
                _judge_left(place, tally)
            resume(place, tally, expected)
    return tally


def _judge_fault(ended: Ended, tally: Tally) -> None:
    tally.times += 1
    tally.tracebacks += ended.crashed
    name = ended.told.partition("failing: ")[2].split("\n")[0]
    fine = (ended.code, ended.errors) in ((4, 1), (0, 0)) and name
    if ended.code == 0:
        tally.remark(f"{name} does not matter")
    if not fine:
        tally.lost += 1
        tally.remark(f"exit {ended.code}, {ended.errors} errors at {name or 'nothing'}")


def _judge_left(place: Path, tally: Tally) -> None:
    found, wrong = checkpoint.load(place / RUN)
    tally.wrong += bool(wrong) or ((place / RUN / checkpoint.NOW).exists() and found is None)


def starts(count: int, rng: random.Random, root: Path, expected: dict[str, Any]) -> Tally:
    """Trainings that begin at once, each in a folder of its own."""
    tally = Tally("trainings begun at once")
    for place in places(root, 1):
        homes = [place / str(number) for number in range(count)]
        for home in homes:
            home.mkdir()
        command = [*TRAIN, "--out", str(place / "runs")]
        begun = [begin(home, command) for home in homes]
        ended = [wait(home, pid) for home, pid in zip(homes, begun, strict=True)]
        folders = list((place / "runs").iterdir())
        tally.times, tally.tracebacks = count, sum(each.crashed for each in ended)
        tally.lost = sum(each.code != 0 for each in ended) + count - len(folders)
        tally.wrong = sum(tiny.results(folder) != expected for folder in folders)
    return tally


def damage(count: int, rng: random.Random, root: Path, expected: dict[str, Any]) -> Tally:
    """Damaged checkpoints, now and then both."""
    tally = Tally("damaged checkpoints")
    (base,) = list(_interrupted(root))
    config, dataset = load_config(base / "config.yaml"), tiny.dataset()
    for place in places(root, count):
        shutil.copytree(base, place / "run")
        names = [checkpoint.NOW, *([checkpoint.PREVIOUS] if rng.random() < 0.3 else [])]
        for name in names:
            _damage(place / "run" / name, rng)
        tally.times += 1
        tally.remark("both" if len(names) == 2 else "the last one")
        try:
            tiny.train_into(place / "run", config, dataset, threads=1)
            tally.wrong += tiny.results(place / "run") != expected
        except (CifarmlpError, MemoryError) as error:  # nothing is known of these
            tally.lost += 1
            tally.remark(str(error)[:60])
        except Exception:
            traceback.print_exc()
            tally.tracebacks += 1
    shutil.rmtree(base.parents[1])
    return tally


def _interrupted(root: Path) -> Iterator[Path]:
    """The folder of a training that was killed, with two checkpoints."""
    place = Path(tempfile.mkdtemp(dir=root))
    calls = 0

    def kill_later() -> None:
        often()
        save = checkpoint.save

        def counted(*args: Any) -> None:
            nonlocal calls
            save(*args)
            calls += 1
            if calls == 6:
                os.kill(os.getpid(), signal.SIGKILL)

        checkpoint.save = counted

    assert run(place, TRAIN, kill_later).code == -signal.SIGKILL
    assert (place / RUN / checkpoint.PREVIOUS).exists()
    yield place / RUN


def _damage(path: Path, rng: random.Random) -> None:
    content = bytearray(path.read_bytes())
    start, length = rng.randrange(len(content)), rng.choice([1, 1, 4, 64, 4096])
    kind = rng.choice(["cut", "flip", "overwrite", "append", "remove", "empty", "swap"])
    if kind == "cut":
        del content[start:]
    elif kind == "flip":
        content[start] ^= 1 << rng.randrange(8)
    elif kind == "overwrite":
        content[start : start + length] = rng.randbytes(length)
    elif kind == "append":
        content += rng.randbytes(length)
    elif kind == "remove":
        del content[start : start + length]
    elif kind == "swap":
        content = content[start:] + content[:start]
    else:
        content = bytearray(rng.choice([b"", b"\0", bytes(len(content))]))
    path.write_bytes(content)


# -------------------------------------------------------------------------------------------- whole commands

LARGE = ["train", "report-2/figure-3", "--set", "data.source=synthetic"]


def signals(count: int, rng: random.Random, root: Path) -> Tally:
    """Ctrl-C or SIGTERM at a random moment of a training as large as a report's: how long it takes to end."""
    tally, seconds = Tally("Ctrl-C or SIGTERM"), []
    for place in places(root, count):
        number = rng.choice([signal.SIGINT, signal.SIGTERM])
        code, told, took = _signalled(place, number, rng.uniform(0, 5))
        (folder,) = (place / "runs").iterdir()
        tally.times += 1
        tally.tracebacks += "Traceback" in told
        tally.lost += code != 128 + number or checkpoint.load(folder)[0] is None
        seconds.append(took)
    tally.remark(f"{min(seconds):.2f} to {max(seconds):.2f} s")
    return tally


def _signalled(place: Path, number: int, after: float) -> tuple[int, str, float]:
    command, pipe = [sys.executable, "-m", "cifarmlp", *LARGE], subprocess.PIPE
    with subprocess.Popen(command, cwd=place, stdout=pipe, stderr=pipe, text=True) as run:
        assert run.stderr is not None
        run.stderr.readline()  # the first evaluation
        time.sleep(after)
        started = time.monotonic()
        run.send_signal(number)
        _, told = run.communicate(timeout=60)
        return run.returncode, told, time.monotonic() - started


# -------------------------------------------------------------------------------------------- hostile inputs

CODE = ("os.", "subprocess.", "exec", "compile", "import", "open", "shutil.", "socket.", "pickle.", "ctypes.")


def fuzzed_pickles(count: int, rng: random.Random) -> Tally:
    """Batches and hostile pickles, altered: read or refused, and nothing is run."""
    tally, watching, heard = Tally("fuzzed pickles"), False, []
    sys.addaudithook(lambda event, _: heard.append(event) if watching and event.startswith(CODE) else None)
    pickles.ROWS = batch_pickles.ROWS
    small = batch_pickles.small_batch()
    short = [raw for raw in batch_pickles.HOSTILE.values() if 100 < len(raw) < 5000]
    for _ in range(count):
        raw = batch_pickles.mutate(small, rng)
        if rng.random() < 0.2:
            raw = rng.choice(short) + raw[rng.randrange(200) :]
        started, watching = time.process_time(), True
        try:
            pickles.loads(raw)
            tally.remark("read")
        except pickles.BatchError:
            tally.remark("refused")
        except Exception:
            tally.tracebacks += 1
        watching = False
        tally.lost += time.process_time() - started > 5
        tally.times += 1
    tally.ran = len(heard)
    for event in heard:
        tally.remark(f"heard {event}")
    return tally


WORDS = [
    "{", "}", "[", "]", ",", ":", "-", "?", "|", ">", "&", "*", "!", "<<", "~", "null", "true",
    "1e999", ".nan", "-0", "0x1F", "010", "'a'", '"', "#", "extends", "name", "seed", "hidden", "&a",
    "*a", "kind", "cyclic", "he", "training", "lambda", "9999999999999999999999",
    "!!python/object/apply:os.system", "\t", " ", "\n", "\u2028", "\x00", "é",
]  # fmt: skip


def fuzzed_configs(count: int, rng: random.Random, root: Path) -> Tally:
    """Shipped configs, altered, and wild overrides: ConfigError at most, within a second."""
    tally, texts = Tally("fuzzed configs"), [path.read_text() for path in shipped_configs().values()]
    for place in places(root, 1):
        for _ in range(count):
            text = _altered(rng.choice(texts), rng)
            (place / "c.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
            overrides = [_altered("training.lambda=0.1", rng)] if rng.random() < 0.3 else []
            started = time.process_time()
            try:
                load_config(place / "c.yaml", overrides)
                tally.remark("read")
            except ConfigError:
                tally.remark("refused")
            except Exception:
                traceback.print_exc()
                tally.tracebacks += 1
            tally.lost += time.process_time() - started > 1
            tally.times += 1
    return tally


def _altered(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 6)):
        start, length = rng.randrange(len(text) + 1), rng.randint(1, 20)
        piece = text[start : start + length]
        word = rng.choice(
            [rng.choice(WORDS), rng.choice(WORDS) * 50, chr(rng.randrange(0x3000)), piece * 9, ""]
        )
        text = text[:start] + word + text[start + rng.choice([0, length]) :]
    return text


# ---------------------------------------------------------------------------------------------------- search

SEARCH = ["search", "report-2/search", "--coarse", "--trials", "6", "--jobs", "2"]
SEARCH += ["--set", "data={source: synthetic, validation: null, train_batches: [1], validation_batches: [2]}"]
SEARCH += ["--set", "network.hidden=[12, 8]", "--set", "training.steps=1000"]


def search_kills(count: int, rng: random.Random, root: Path) -> Tally:
    """kill -9 of a search's worker: the same table, but for the seconds."""
    tally, started = Tally("kill -9 of a worker of a search"), time.monotonic()
    (reference,) = [_searched(place, tally) for place in places(root, 1)]
    took = time.monotonic() - started
    for place in places(root, 5 * count):
        if (killed := tally.times) < count:
            found = _searched(place, tally, rng.uniform(0, 0.8) * took)
            tally.wrong += found != reference
            took *= 1 if tally.times > killed else 0.3  # it ended before: the machine has become faster
    return tally


def _searched(place: Path, tally: Tally, kill_after: float | None = None) -> list[str]:
    command = [sys.executable, "-m", "cifarmlp", *SEARCH]
    with subprocess.Popen(
        command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as run:
        if kill_after is not None:
            time.sleep(kill_after)
            killed = _kill_a_worker(run)
            tally.times += killed
            tally.remark("killed" if killed else "ended before")
        told, _ = run.communicate(timeout=600)
    tally.tracebacks += "Traceback" in told
    tally.lost += run.returncode != 0
    (table,) = place.glob("runs/*/trials.csv")
    lines = [line.split(",") for line in table.read_text().splitlines()]
    seconds = lines[0].index("seconds")
    return [",".join(line[:seconds] + line[seconds + 1 :]) for line in lines]


def _kill_a_worker(parent: subprocess.Popen[str]) -> bool:
    """As soon as there is one; whether there was."""
    while parent.poll() is None:
        if workers := _workers(parent.pid):
            os.kill(workers[-1], signal.SIGKILL)
            return True
        time.sleep(0.02)
    return False


def _workers(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(c) for c in children if b"spawn_main" in Path(f"/proc/{c}/cmdline").read_bytes()]
    except OSError:
        return []


# ------------------------------------------------------------------------------------------------------- all

PARTS = ("kills", "saves", "studies", "faults", "starts", "damage", "pickles", "configs", "signals", "search")
# faults: every so many-th; the short form has no whole commands: test_resume.py and test_search.py have them
SHORT = dict(zip(PARTS, (3, 5, 5, 23, 10, 10, 200, 100, 0, 0), strict=True))
LONG = dict(zip(PARTS, (200, 10_000, 10_000, 1, 100, 1000, 100_000, 10_000, 20, 20), strict=True))


def all_parts(counts: dict[str, int], seed: int, root: Path) -> Iterator[Tally]:
    """One kind of damage after the other; those with a count of 0 are left out."""
    replace_what_is_slow()
    expected: dict[str, Any] = {}
    for place in places(root, 1):
        assert run(place, TRAIN).code == 0, (place / "told").read_text()
        expected = tiny.results(place / RUN)
    trainings = {"kills": kills, "saves": kills_in_saves, "faults": faults, "starts": starts}
    trainings |= {"damage": damage, "studies": kills_in_studies}
    inputs = {"pickles": lambda n, rng, root: fuzzed_pickles(n, rng), "configs": fuzzed_configs}
    for name, count in counts.items():
        rng = random.Random(f"{seed} {name}")
        if count and name in trainings:
            yield trainings[name](count, rng, root, expected)
        elif count:
            yield {**inputs, "signals": signals, "search": search_kills}[name](count, rng, root)


def main() -> int:
    """Returns 1 where anything was lost or wrong, or a traceback was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", action="store_true", help="thousands of times; takes a while")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    for name in PARTS:
        parser.add_argument(f"--{name}", type=int, help=argparse.SUPPRESS)
    given = vars(parser.parse_args())
    counts = {**(LONG if given["long"] else SHORT), **{n: given[n] for n in PARTS if given[n] is not None}}
    tallies = []
    with tempfile.TemporaryDirectory() as root:
        for tally in all_parts({n: counts[n] for n in given["only"]}, given["seed"], Path(root)):
            print(f"{tally.name}: {tally.times}", file=sys.stderr, flush=True)
            tallies.append(tally)
    widths = [*[None] * 6, 60]
    print(tabulate([tally.row() for tally in tallies], headers=COLUMNS, maxcolwidths=widths))
    return int(any(tally.failed() for tally in tallies))


if __name__ == "__main__":
    sys.exit(main())
