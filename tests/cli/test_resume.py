"""Trainings cut short in every way, and resumed from the command line: the same bits, or why not."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from helpers import tiny
from helpers.command import Done, cifarmlp, held, until

from cifarmlp.data import load
from cifarmlp.training import checkpoint

SETTINGS = [
    "network.hidden=[12, 8]",
    "data={source: synthetic, validation: null, train_batches: [1], validation_batches: [2]}",
    "training.lambda=0.1",
    "training.evaluate_images=500",
]
SMALL = [part for setting in SETTINGS for part in ("--set", setting)]
EPOCHS = 3  # of 100 steps
AT_WORK, LAST_EVALUATIONS = "step 150", ("evaluation 7", "evaluation 9")
WHOLE = ["train", "quickstart", *SMALL, "--set", f"training.steps={100 * EPOCHS}"]
RUN = Path("runs") / "quickstart-001"
LIMIT = 20  # seconds from a signal to the end, on a machine that does much else; alone it takes less than 1


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    load("synthetic")  # into the cache
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cifarmlp.training.run.draw_training", lambda *_: tiny.Figure())
        yield


def resume(place: Path, *args: str) -> Done:
    done = cifarmlp("train", "--resume", RUN, *args, cwd=place)
    assert done.code == 0, done.err
    return done


def error_of(place: Path, *args: object, code: int) -> str:
    """The one line that a command is refused with."""
    done = cifarmlp(*args, cwd=place)
    assert done.code == code, done.err
    assert done.out == ""
    (line,) = done.err.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def warnings_in(done: Done) -> list[str]:
    return [line for line in done.err.splitlines() if line.startswith("warning: ")]


def end(process: subprocess.Popen[str], place: Path, number: int) -> str:
    """Send a signal to a held process and let it go on to its end. Returns what it printed on stdout."""
    started = time.monotonic()
    process.send_signal(number)
    (place / "go").touch()
    out, err = process.communicate(timeout=120)
    assert time.monotonic() - started < LIMIT
    assert "Traceback" not in err
    return out


def first_step(done: Done) -> int:
    """The step of the first record that a training showed."""
    return int(done.err.split(", step ")[1].split(":")[0])


def result_of(place: Path) -> tuple[str, int, object]:
    """Status, steps and test metrics in result.json."""
    result = json.loads((place / RUN / "result.json").read_text())
    return result["status"], result["steps"], result["test"]


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing happened to."""
    place = tmp_path_factory.mktemp("through")
    assert cifarmlp(*WHOLE, cwd=place).code == 0
    return place / RUN


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with the folder of a training that a Ctrl-C ended in its third epoch."""
    place = tmp_path_factory.mktemp("interrupted")
    with held(place, AT_WORK, *WHOLE) as process:
        end(process, place, signal.SIGINT)
        assert process.returncode == 130
    return place


@pytest.fixture
def place(interrupted: Path, tmp_path: Path) -> Path:
    """A copy of that, to resume in."""
    shutil.copytree(interrupted, tmp_path / "place")
    return tmp_path / "place"


@pytest.fixture
def ended(through: Path, tmp_path: Path) -> Path:
    """A copy of the place of the training that nothing happened to."""
    shutil.copytree(through.parents[1], tmp_path / "place")
    return tmp_path / "place"


def test_the_folder_of_an_interrupted_training_says_so(interrupted: Path) -> None:
    assert result_of(interrupted) == ("interrupted", 151, None)
    assert not (interrupted / RUN / "curves.png").exists()


# -------------------------------------------------------------------------------------------- kills, signals


@pytest.mark.parametrize("at", ["evaluation 1", AT_WORK, *LAST_EVALUATIONS])
def test_after_a_kill_the_training_goes_on_to_the_same_bits(at: str, tmp_path: Path, through: Path) -> None:
    with held(tmp_path, at, *WHOLE) as process:
        process.kill()
        assert process.wait(60) == -signal.SIGKILL
    assert f"{RUN}/curves.png" in resume(tmp_path).out
    assert tiny.results(tmp_path / RUN) == tiny.results(through)


@pytest.mark.slow  # four processes that begin; one kill is tested above
def test_killed_again_and_again_it_comes_to_the_same_bits(place: Path, through: Path) -> None:
    for step in (151, 160, 250):
        with held(place, f"step {step}", "train", "--resume", str(RUN)) as process:
            process.kill()
    resume(place)
    assert tiny.results(place / RUN) == tiny.results(through)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_of_that_very_step_and_the_command_to_go_on(
    number: int, tmp_path: Path, through: Path
) -> None:
    with held(tmp_path, AT_WORK, *WHOLE) as process:
        out = end(process, tmp_path, number)
    assert process.returncode == 128 + number
    assert f"next:    cifarmlp train --resume {RUN}" in out
    assert result_of(tmp_path) == ("interrupted", 151, None)
    saved, faults = checkpoint.load(tmp_path / RUN)
    assert saved is not None
    assert not faults
    assert int(saved.arrays["step"]) == 151
    assert first_step(resume(tmp_path)) == 200
    assert tiny.results(tmp_path / RUN) == tiny.results(through)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_it_at_once(second: int, tmp_path: Path, through: Path) -> None:
    # held, so that the first signal takes effect no sooner than the second
    with held(tmp_path, AT_WORK, *WHOLE) as process:
        process.send_signal(signal.SIGINT)
        until(lambda: bool(list(tmp_path.glob("heard-*"))), process)
        started = time.monotonic()
        process.send_signal(second)
        _, err = process.communicate(timeout=60)
    assert time.monotonic() - started < LIMIT
    assert process.returncode == -second
    assert all(line.startswith("quickstart, seed 1: epoch ") for line in err.splitlines())
    resume(tmp_path)
    assert tiny.results(tmp_path / RUN) == tiny.results(through)


@pytest.mark.parametrize(("at", "steps"), [("evaluation 1", 0), *((last, 300) for last in LAST_EVALUATIONS)])
def test_a_signal_within_an_evaluation_stops_that_and_it_is_made_again(
    at: str, steps: int, tmp_path: Path, through: Path
) -> None:
    with held(tmp_path, at, *WHOLE) as process:
        end(process, tmp_path, signal.SIGTERM)
    assert process.returncode == 143
    assert result_of(tmp_path) == ("interrupted", steps, None)
    resume(tmp_path)
    assert tiny.results(tmp_path / RUN) == tiny.results(through)


@pytest.mark.parametrize("closed", [pytest.param("stdout", marks=pytest.mark.slow), "stderr"])
def test_a_closed_pipe_ends_a_training_quietly_and_it_can_go_on(
    closed: str, tmp_path: Path, through: Path
) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, closed: theirs}
    command = [sys.executable, "-m", "cifarmlp", *WHOLE]
    done = subprocess.run(command, cwd=tmp_path, text=True, timeout=120, **pipes)  # type: ignore[call-overload]
    os.close(theirs)
    assert done.returncode == 141
    lines = ((done.stdout or "") + (done.stderr or "")).splitlines()
    assert all(line.startswith("quickstart, seed 1: ") for line in lines)
    if closed == "stdout":  # nobody wanted to know how it went
        assert result_of(tmp_path)[0] == "finished"
    resume(tmp_path)
    assert tiny.results(tmp_path / RUN) == tiny.results(through)


# ------------------------------------------------------------------------------------- what is in the folder


def test_torn_rows_and_stray_files_are_put_right(place: Path, through: Path) -> None:
    table = place / RUN / "metrics.csv"
    table.write_text(table.read_text()[:-20])
    for name in (".model.npz.x1y2.tmp", ".checkpoint.next.npz.abcd.tmp"):
        (place / RUN / name).write_bytes(b"half")
    resume(place)
    assert tiny.results(place / RUN) == tiny.results(through)
    left = {path.name for path in (place / RUN).iterdir()}
    assert left == {path.name for path in through.iterdir()}


def test_with_a_damaged_checkpoint_the_one_before_it_is_used_and_told(place: Path, through: Path) -> None:
    now = place / RUN / checkpoint.NOW
    shutil.copy(now, place / RUN / checkpoint.PREVIOUS)
    now.write_bytes(now.read_bytes()[:-1000])
    done = resume(place)
    (warning,) = warnings_in(done)
    assert f"{checkpoint.NOW}: damaged" in warning
    assert first_step(done) > 100
    assert tiny.results(place / RUN) == tiny.results(through)


def test_with_no_whole_checkpoint_the_training_begins_anew(place: Path, through: Path) -> None:
    for name in (checkpoint.NOW, checkpoint.PREVIOUS):
        (place / RUN / name).write_bytes(b"")
    assert first_step(resume(place)) == 0
    assert tiny.results(place / RUN) == tiny.results(through)


def test_in_another_environment_it_goes_on_with_a_warning_unless_strict(place: Path, through: Path) -> None:
    saved, _ = checkpoint.load(place / RUN)
    assert saved is not None
    there = {**saved.environment, "numpy": "1.0"}
    checkpoint.save(place / RUN, dataclasses.replace(saved, environment=there))
    before = (place / RUN / checkpoint.NOW).read_bytes()
    assert "numpy was 1.0, is " in error_of(place, "train", "--resume", RUN, "--strict", code=4)
    assert (place / RUN / checkpoint.NOW).read_bytes() == before
    (warning,) = warnings_in(resume(place))
    assert "numpy was 1.0, is " in warning
    assert tiny.results(place / RUN) == tiny.results(through)


@pytest.mark.parametrize("args", [["--strict"], WHOLE[1:]])
def test_in_the_same_environment_and_with_the_same_config_it_goes_on(
    args: list[str], place: Path, through: Path
) -> None:
    import scipy.linalg  # noqa: F401  # whose own BLAS makes no other environment

    assert "warning" not in resume(place, *args).err
    assert tiny.results(place / RUN) == tiny.results(through)


# ----------------------------------------------------------------------------------------- what is not right


def test_a_config_yaml_that_was_changed_is_refused(place: Path) -> None:
    path = place / RUN / "config.yaml"
    path.write_text(path.read_text().replace("lambda: 0.1", "lambda: 0.2"))
    message = error_of(place, "train", "--resume", RUN, code=2)
    assert "another config: training.lambda is 0.1 there, 0.2 here" in message


WIDE = [*WHOLE[1:], "--set", "network.hidden=[12, 9]"]
ANOTHER = rf"^{RUN} is the training of another config: network.hidden is \[12, 8\] there, \[12, 9\] here$"


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["--resume", "nowhere"], 4, "nowhere: not the folder of a training"),
        (["--resume", "runs"], 4, "runs: not the folder of a training"),
        (["--resume", str(RUN), "--repeats", "3"], 2, "has 1 seed; leave out --repeats"),
        (["--resume", str(RUN), "--seed", "3"], 2, "--resume goes on with one training"),
        (["--resume", str(RUN), "--set", "seed=3"], 2, "--resume goes on with one training"),
        (["quickstart", "quickstart", "--resume", str(RUN)], 2, "--resume goes on with one training"),
        ([*WIDE, "--resume", str(RUN)], 2, ANOTHER),
        ([], 2, r"which CONFIG\?"),
    ],
)
def test_what_cannot_be_resumed_is_one_line(
    args: list[str], code: int, words: str, interrupted: Path
) -> None:
    before = sorted(interrupted.rglob("*"))
    assert re.search(words, error_of(interrupted, "train", *args, code=code))
    assert sorted(interrupted.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("config.yaml", "name: [", 4, "not the folder of a training"),
        ("config.yaml", "", 4, "not the folder of a training"),
        ("summary.json", '{"n": 1', 4, "summary.json is damaged"),
        ("summary.json", "{}", 4, "summary.json is damaged"),
        ("summary.json", "[]", 4, "summary.json is damaged"),
        ("summary.json", '{"planned": 0}', 4, "summary.json is damaged"),
        ("search.json", "{}", 2, f"cifarmlp search --resume {RUN}"),
    ],
)
def test_a_folder_that_is_damaged_or_of_a_search_is_refused(
    name: str, content: str, code: int, words: str, place: Path
) -> None:
    (place / RUN / name).write_text(content)
    assert words in error_of(place, "train", "--resume", RUN, code=code)


# ----------------------------------------------------------------------------------------------------- locks


def test_a_second_process_is_told_who_is_at_work(tmp_path: Path) -> None:
    with held(tmp_path, AT_WORK, *WHOLE) as process:
        message = error_of(tmp_path, "train", "--resume", RUN, code=4)
        owner = f"process {process.pid} on {socket.gethostname()}"
        assert message.startswith(f"{RUN}: {owner} is at work in it since ")
        assert process.poll() is None
        process.kill()
        process.wait(60)
    with held(tmp_path, AT_WORK, "train", "--resume", str(RUN)) as process:
        # of the process that was killed nothing is left but files
        owner = json.loads((tmp_path / RUN / ".owner.json").read_text())
        assert owner["pid"] == process.pid


# -------------------------------------------------------------------------------------- trainings that ended


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = [path for path in folder.iterdir() if path.is_file()]
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_a_training_that_has_ended_is_left_alone_and_its_results_are_printed(ended: Path) -> None:
    before = state(ended / RUN)
    done = resume(ended)
    result = json.loads((ended / RUN / "result.json").read_text())
    assert f"{result['test']['accuracy']:.4f}" in done.out
    assert f"finished: {100 * EPOCHS} steps" in done.out
    assert done.err == ""
    assert state(ended / RUN) == before


@pytest.mark.parametrize("name", ["model.npz", "result.json"])
@pytest.mark.parametrize("with_checkpoint", [True, False])
def test_a_training_that_has_ended_is_trained_again_where_its_files_are_damaged(
    name: str, with_checkpoint: bool, ended: Path, through: Path
) -> None:
    data = (ended / RUN / name).read_bytes()
    (ended / RUN / name).write_bytes(data[: len(data) // 2])
    if not with_checkpoint:
        (ended / RUN / checkpoint.NOW).unlink()
    resume(ended)
    assert tiny.results(ended / RUN) == tiny.results(through)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            ["network.batch_norm=false", "training.schedule={kind: constant, eta: 1.0e+6, epochs: 1}"],
            "diverged at step",
        ),
        (["training.steps=0"], "finished: 0 steps"),
    ],
)
def test_a_training_that_diverged_or_has_no_steps_has_ended_and_ends_so_again(
    settings: list[str], words: str, tmp_path: Path
) -> None:
    assert cifarmlp(*WHOLE, *(f"--set={setting}" for setting in settings), cwd=tmp_path).code == 0
    results, before = tiny.results(tmp_path / RUN), state(tmp_path / RUN)
    assert words.startswith(results["result"]["status"])
    done = resume(tmp_path)
    assert words in done.out
    assert done.err == ""
    assert state(tmp_path / RUN) == before
    (tmp_path / RUN / "result.json").unlink()
    assert words in resume(tmp_path).out
    assert tiny.results(tmp_path / RUN) == results


# --------------------------------------------------------------------------------------------- several seeds


def of_seeds(folder: Path) -> dict[str, object]:
    """What repeated trainings have in common, to the bit."""
    folders = sorted(folder.glob("seed-*"))
    return {path.name: tiny.results(path) for path in folders} | {
        "summary": (folder / "summary.json").read_bytes()
    }


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of three seeds that nothing happened to."""
    place = tmp_path_factory.mktemp("repeated")
    assert cifarmlp(*WHOLE, "--repeats", "3", cwd=place).code == 0
    return place / RUN


@pytest.mark.slow  # nine trainings, and seven processes that begin
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_several_seeds_side_by_side_go_on_to_the_same_summary(
    number: int, tmp_path: Path, repeated: Path
) -> None:
    with held(tmp_path, AT_WORK, *WHOLE, "--repeats", "3", "--jobs", "2", processes=2) as process:
        end(process, tmp_path, number)
    assert process.returncode == (-9 if number == signal.SIGKILL else 128 + number)
    assert error_of(tmp_path, "train", "--resume", RUN, "--repeats", "2", code=2).endswith("--repeats")
    until_alone(tmp_path / RUN)
    resume(tmp_path, "--jobs", "2" if number == signal.SIGTERM else "1")
    assert of_seeds(tmp_path / RUN) == of_seeds(repeated)


def until_alone(folder: Path) -> None:
    """Wait for the end of workers whose parent was killed."""
    deadline = time.monotonic() + 60
    for place in folder.glob("seed-*"):
        with FileLock(place / ".lock", timeout=deadline - time.monotonic()):
            pass


def test_seeds_that_have_ended_are_not_trained_again(tmp_path: Path, repeated: Path) -> None:
    shutil.copytree(repeated.parents[1], tmp_path / "place")
    folder = tmp_path / "place" / RUN
    (folder / "seed-2" / "model.npz").unlink()
    before = {name: state(folder / name) for name in ("seed-1", "seed-3")}
    message = resume(tmp_path / "place").err
    assert "seed 2" in message
    assert "seed 1" not in message
    assert {name: state(folder / name) for name in ("seed-1", "seed-3")} == before
    assert of_seeds(folder) == of_seeds(repeated)


def test_seeds_are_not_mixed_with_those_of_another_config(tmp_path: Path, repeated: Path) -> None:
    shutil.copytree(repeated.parents[1], tmp_path / "place")
    folder = tmp_path / "place" / RUN
    shutil.rmtree(folder / "seed-3")
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace("lambda: 0.1", "lambda: 0.2"))
    message = error_of(tmp_path / "place", "train", "--resume", RUN, code=2)
    assert "training.lambda is 0.1 there, 0.2 here" in message
    assert not (folder / "seed-3").exists()


def test_a_folder_without_its_number_of_seeds_yet_is_not_taken_for_one_seed(tmp_path: Path) -> None:
    # killed after the first file it writes
    kill = "import os, sys; from cifarmlp.files import writing; from cifarmlp.cli.main import main\n"
    kill += "write = writing.write\n"
    kill += "def once(path, fill): write(path, fill); os.kill(os.getpid(), 9)\n"
    program = [sys.executable, "-c", f"{kill}writing.write = once; main()", *WHOLE, "--repeats", "3"]
    assert subprocess.run(program, cwd=tmp_path, timeout=60).returncode == -signal.SIGKILL
    assert (tmp_path / RUN).exists()
    assert "not the folder of a training" in error_of(tmp_path, "train", "--resume", RUN, code=4)


# ----------------------------------------------------------------------------------------------- a full disk


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 600 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(place)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("file systems cannot be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


ROOM_FOR = {
    0: [],
    20_000: [],
    200_000: [checkpoint.NOW],
    400_000: [checkpoint.NOW, checkpoint.PREVIOUS],
}


@pytest.mark.parametrize("room", ROOM_FOR)
def test_a_full_disk_is_one_line_and_with_room_again_the_training_goes_on(
    room: int, small_disk: Path, through: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "MAX_TIME_SHARE", 1e9)  # at every record, however long it takes
    (small_disk / "runs").mkdir()
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(600 * 1024 - room - 28_672))
    done = cifarmlp(*WHOLE, cwd=small_disk)
    saved = [name for name in checkpoint.NAMES if (small_disk / RUN / name).exists()]
    assert saved == ROOM_FOR[room]
    assert done.code == 4
    (line,) = [line for line in done.err.splitlines() if not line.startswith("quickstart, seed 1: ")]
    assert line.startswith("error: ")
    assert "No space left on device" in line
    assert not (small_disk / RUN / "result.json").exists()
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", str(small_disk)], check=True)
    assert not list(small_disk.glob("runs/*/.*.tmp"))
    if (small_disk / RUN / "config.yaml").exists():
        resume(small_disk)
    else:
        assert cifarmlp(*WHOLE, "--out", "again", cwd=small_disk).code == 0
        (small_disk / "again").rename(small_disk / "runs")
    assert tiny.results(small_disk / RUN) == tiny.results(through)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_one_line(place: Path) -> None:
    (place / RUN).chmod(0o500)
    try:
        assert "Permission denied" in error_of(place, "train", "--resume", RUN, code=4)
    finally:
        (place / RUN).chmod(0o700)


@pytest.mark.parametrize(
    ("stderr", "jobs"),
    [
        ("2>/dev/full", 1),
        pytest.param("2>/dev/full", 2, marks=pytest.mark.slow),
        pytest.param("2>&-", 1, marks=pytest.mark.slow),
        pytest.param("2>&-", 2, marks=pytest.mark.slow),
    ],
)
def test_a_stderr_that_cannot_be_written_ends_nothing(stderr: str, jobs: int, tmp_path: Path) -> None:
    settings = [f"--set={setting}" for setting in [*tiny.SETTINGS, "training.steps=4"]]
    seeds = ["--repeats", "2", "--jobs", str(jobs)]
    command = shlex.join([sys.executable, "-m", "cifarmlp", "train", "quickstart", *settings, *seeds])
    done = subprocess.run(["sh", "-c", f"exec {command} {stderr}"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert json.loads((tmp_path / RUN / "summary.json").read_text())["n"] == 2
