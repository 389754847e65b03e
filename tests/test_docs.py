"""The commands, configs, keys, paths, links and names in the documents exist."""

import importlib
import re
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote

import click
import pytest

from cifarmlp.cli import main
from cifarmlp.config import Config, load_config, shipped_configs
from cifarmlp.config.fields import dotted_fields
from cifarmlp.study.load import load_study, shipped_studies

ROOT = Path(__file__).parents[1]
README, DOCS = ROOT / "README.md", ROOT / "docs"
COMMANDS = DOCS / "commands.md"
PAGES = {path: path.read_text(encoding="utf-8") for path in sorted([*ROOT.glob("*.md"), *DOCS.glob("*.md")])}
ALL = "\n".join(PAGES.values())


def blocks(language: str, text: str = ALL) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def without_blocks(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)


PROSE = {path: without_blocks(text) for path, text in PAGES.items()}
LINES = [line for block in blocks("sh") for line in block.splitlines()]
CODE = re.findall(r"`(cifarmlp [^`]+)`", "\n".join(PROSE.values()).replace("\n", " "))
CALLS = sorted({line[line.index("cifarmlp ") :] for line in LINES if "cifarmlp " in line} | {*CODE})
PLACEHOLDERS = {"CONFIG", "STUDY", "RUN", "COMMAND"}


@pytest.mark.parametrize("call", CALLS)
def test_a_command_in_the_documents_is_one_that_the_command_line_takes(call: str) -> None:
    words = shlex.split(call.split(">")[0], comments=True)[1:]
    command: click.Command = main.commands
    context = click.Context(command, info_name="cifarmlp")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name = words.pop(0)
        if name in PLACEHOLDERS:
            return
        inner = command.get_command(context, name)
        assert inner is not None, call
        command = inner
    if not words:
        return
    parsed = command.make_context(command.name, [*words], parent=context)
    configs = [*parsed.params.get("configs", ()), parsed.params.get("config") or "my.yaml"]
    for name in configs:
        assert name in shipped_configs() or is_the_readers(name), call
    for name in parsed.params.get("names", ()):
        assert name in shipped_studies() or is_the_readers(name), call


def is_the_readers(name: str) -> bool:
    """Return whether a name stands for a file of the reader's own."""
    return name in PLACEHOLDERS or bool(re.fullmatch(r"my(-\w+)?\.yaml", name)) or name.startswith("runs/")


def test_there_are_commands_to_check() -> None:
    assert len(CALLS) > 60


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(PAGES[README].splitlines()) <= 200


def test_every_command_stands_in_the_table_of_the_readme_with_its_page() -> None:
    for name in main.commands.commands:
        assert re.search(
            rf"^\| \[`cifarmlp {name}\b[^|]*`\]\(docs/[\w-]+\.md[^)]*\) \|", PAGES[README], re.MULTILINE
        )


def test_every_command_of_a_command_stands_in_a_page() -> None:
    pages = "\n".join(text for path, text in PAGES.items() if path != COMMANDS)
    for name, command in main.commands.commands.items():
        for inner in getattr(command, "commands", {}):
            assert f"cifarmlp {name} {inner}" in pages


def test_the_page_of_commands_is_what_they_say_of_themselves() -> None:
    if f"Click {version('click').rpartition('.')[0]}." not in PAGES[COMMANDS]:
        pytest.skip("another version of Click prints help in another form")
    script = DOCS / "make_commands.py"
    done = subprocess.run([sys.executable, script], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout == PAGES[COMMANDS], "python docs/make_commands.py > docs/commands.md"


@pytest.mark.parametrize("block", blocks("yaml"))
def test_an_example_config_or_study_can_be_loaded(block: str, tmp_path: Path) -> None:
    (tmp_path / "example.yaml").write_text(block, encoding="utf-8")
    if "sections:" in block:
        assert len(load_study(tmp_path / "example.yaml").experiments) == 6
    else:
        load_config(tmp_path / "example.yaml")


def test_the_readme_has_a_whole_config() -> None:
    (example,) = blocks("yaml", PAGES[README])
    assert {"name:", "data:", "network:", "training:"} <= set(example.split())


def test_every_key_is_in_the_config_reference() -> None:
    reference = PAGES[DOCS / "configs.md"]
    for section in ("data", "network", "training"):
        for key in {
            field.split(".")[1] for field in dotted_fields(Config) if field.startswith(f"{section}.")
        }:
            assert f"`{section}.{key}`" in reference


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_pictures_and_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", PROSE[page]):
        if re.match(r"https?:", link):
            continue
        target, _, anchor = unquote(link).partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), link


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.*)$", PROSE[page], re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_files_that_are_named_exist(page: Path) -> None:
    roots = "|".join(("benchmarks", "cifarmlp", "configs", "docs", "tests"))
    for path in re.findall(rf"`((?:{roots})/[\w./-]*)`", PROSE[page]):
        assert (ROOT / path).exists(), path


def test_the_site_has_every_page() -> None:
    listing = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert {page.name for page in PAGES if page.parent == DOCS} == {*re.findall(r"[\w-]+\.md", listing)}


@pytest.mark.parametrize("block", blocks("python"))
def test_what_is_taken_from_the_package_in_python_exists(block: str) -> None:
    compile(block, "example", "exec")
    pytest.importorskip("cifarmlp.api")
    for name in re.findall(r"\bcifarmlp\.([a-z_]\w*)", block):
        assert hasattr(importlib.import_module("cifarmlp"), name), name


def test_nothing_was_left_to_fill_in() -> None:
    assert not re.search(r"\b[A-Z]{4,}_[A-Z]{4,}\b|STEPRATIO|TESTMINUTES", ALL.replace("CIFARMLP_", ""))
