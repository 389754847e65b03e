"""Print docs/commands.md, the help of every command: python docs/make_commands.py > docs/commands.md"""

from collections.abc import Iterator
from importlib.metadata import version

import click

from cifarmlp.cli.main import commands

WIDTH = 100
PAGES = {
    "train": "train.md",
    "search": "search.md",
    "study": "study.md",
    "report": "runs.md#report",
    "runs": "runs.md#runs",
    "compare": "runs.md#compare",
    "evaluate": "runs.md#evaluate",
    "predict": "models.md#predict",
    "export": "models.md#export",
    "gradcheck": "gradcheck.md",
    "data": "images.md",
    "configs": "configs.md",
    "bench": "speed.md#one-step",
}
CLICK = version("click").rpartition(".")[0]
HEAD = f"""# Commands

What `cifarmlp COMMAND --help` prints, written by `docs/make_commands.py` with Click {CLICK}."""


def sections(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    """Yield a section with the help of a command, and one for each of its own commands."""
    context = click.Context(
        command, info_name=name, parent=parent, terminal_width=WIDTH, **command.context_settings
    )
    words = context.command_path.removeprefix("cifarmlp ")
    more = f"\n\nExplained in [{PAGES[words].split('.')[0]}]({PAGES[words]})." if words in PAGES else ""
    yield f"## {words}{more}\n\n```text\n{command.get_help(context)}\n```"
    for inner in getattr(command, "commands", {}).values():
        yield from sections(inner, inner.name, context)


if __name__ == "__main__":
    print(HEAD, *sections(commands, "cifarmlp", None), sep="\n\n")
