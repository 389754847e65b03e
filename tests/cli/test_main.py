"""The group of all commands: their help, and pipes that are closed."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cifarmlp.cli import main

CIFARMLP = [sys.executable, "-m", "cifarmlp"]


def test_every_command_has_help() -> None:
    def walk(command: click.Command, path: list[str]) -> None:
        assert command.help, path
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, [*path, name])

    walk(main.commands, [])


@pytest.mark.parametrize("args", [["configs"], ["--help"], ["train", "--help"], ["configs", "schema"]])
def test_a_closed_pipe_ends_it_quietly_and_as_sigpipe_would(args: list[str], tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run([*CIFARMLP, *args], cwd=tmp_path, stdout=theirs, stderr=subprocess.PIPE, timeout=60)
    os.close(theirs)
    assert (done.returncode, done.stderr) == (141, b"")


def test_all_that_was_read_before_the_pipe_closed_is_there(tmp_path: Path) -> None:
    line = f"{' '.join(CIFARMLP)} configs | head -1"
    done = subprocess.run(line, shell=True, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1


def test_ctrl_c_where_nothing_has_begun_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def press(context: click.Context) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["cifarmlp", "configs"])
    monkeypatch.setattr(main.commands, "invoke", press)
    with pytest.raises(SystemExit) as ending:
        main.main()
    assert ending.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
