"""The README's commands and keys exist."""

import itertools
import re
import shlex
from pathlib import Path

import click
import pytest

from cifarmlp.cli import main
from cifarmlp.config import Config, load_config, shipped_configs
from cifarmlp.config.fields import dotted_fields
from cifarmlp.study.load import load_study

README = Path(__file__).parents[1] / "README.md"
TEXT = README.read_text(encoding="utf-8") if README.exists() else ""
BLOCKS = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
CALLS = [
    line[line.index("cifarmlp ") :] for block in BLOCKS for line in block.splitlines() if "cifarmlp " in line
]


@pytest.mark.parametrize("call", CALLS)
def test_a_command_in_the_readme_is_one_that_the_command_line_takes(call):
    words = shlex.split(call.split(">")[0], comments=True)[1:]
    command: click.Command = main.commands
    context = click.Context(command, info_name="cifarmlp")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words.pop(0))
        assert found is not None, call
        command = found
    parsed = command.make_context(command.name, list(words), parent=context)
    for config in itertools.chain(*map(expanded, parsed.params.get("configs", ()))):
        assert config in shipped_configs() or config == "my.yaml" or config.startswith("runs/"), call


def expanded(word: str) -> list[str]:
    """A word with a range in braces, as a shell expands it."""
    braces = re.search(r"\{(\d+)\.\.(\d+)\}", word)
    if braces is None:
        return [word]
    return [word.replace(braces[0], str(n)) for n in range(int(braces[1]), int(braces[2]) + 1)]


def test_there_are_commands_to_check():
    assert len(CALLS) > 10


def test_every_command_stands_in_the_readme():
    for name, command in main.commands.commands.items():
        inner = getattr(command, "commands", {}) or {"": None}
        for second in inner:
            assert f"cifarmlp {name} {second}".strip() in TEXT


def test_the_example_config_is_one(tmp_path):
    example = re.search(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    assert example is not None
    (tmp_path / "example.yaml").write_text(example[1])
    assert load_config(tmp_path / "example.yaml").network.hidden == (50, 50)


def test_the_example_study_is_one(tmp_path):
    examples = [block for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL) if "sections:" in block]
    assert len(examples) == 1
    (tmp_path / "example.yaml").write_text(examples[0])
    assert len(load_study(tmp_path / "example.yaml").experiments) == 6


def test_every_key_is_in_the_config_reference():
    for section in ("data", "network", "training"):
        for key in {
            field.split(".")[1] for field in dotted_fields(Config) if field.startswith(f"{section}.")
        }:
            assert f"`{section}.{key}`" in TEXT


def test_pictures_and_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", TEXT):
        assert (README.parent / target).exists(), target


def test_nothing_was_left_to_fill_in():
    assert not re.search(r"\b[A-Z]{4,}_[A-Z]{4,}\b|STEPRATIO|TESTMINUTES", TEXT.replace("CIFARMLP_", ""))
