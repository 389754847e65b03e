"""Options that several commands have."""

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

INTERRUPTED = 128  # an exit code, with the number of the signal added, as shells have it


class HomePath(click.Path):
    """A path, of which a leading ~ is the home: a shell leaves it alone in --out=~/runs."""

    def convert(self, value: Any, param: click.Parameter | None, context: click.Context | None) -> Any:
        """Return the Path; fail where no home is known."""
        try:
            return Path(str(super().convert(value, param, context))).expanduser()
        except RuntimeError:
            self.fail(f"{value}: no home is known for ~; write the whole path", param, context)


def complete_config(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the shipped configs whose names begin so, and let the shell add its files."""
    names = [name for name in _shipped_files() if not name.startswith("studies/")]
    return _completions(names, incomplete)


def complete_study(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return the shipped studies whose names begin so, and let the shell add its files."""
    names = [name.removeprefix("studies/") for name in _shipped_files() if name.startswith("studies/")]
    return _completions(names, incomplete)


def _completions(names: list[str], incomplete: str) -> list[CompletionItem]:
    shipped = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return [*shipped, CompletionItem(incomplete, type="file")]


def _shipped_files() -> list[str]:
    # not by `config`, whose import takes longer than a hand at the keyboard waits
    package = Path(__file__).resolve().parents[1]
    folder = next(path for path in (package / "configs", package.parent / "configs") if path.is_dir())
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.yaml"))


ANY_PATH = HomePath(path_type=Path)
DATA_DIR = click.option(
    "--data-dir",
    type=ANY_PATH,
    help="CIFAR-10's folder or archive, in any form. [default: $CIFARMLP_DATA, the usual places]",
)
OUT = click.option(
    "--out", type=ANY_PATH, default=Path("runs"), show_default=True, help="Where run folders go."
)
SET = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a value by its dotted key."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
QUIET = click.option("--quiet", is_flag=True, help="Results only: no progress, no messages.")
SEED = click.option(
    "--seed", type=click.IntRange(0, 2**32 - 1), help="Only this seed of a repeated training."
)
THREADS = click.option(
    "--threads",
    type=click.IntRange(1, 256),
    envvar="CIFARMLP_THREADS",
    help="BLAS threads. [default: 2 if no bit depends on it; 1 a job]",
)
TABLES = click.option(
    "--tables",
    "form",
    type=click.Choice(["md", "tex"]),
    help="Also each table as Markdown or LaTeX, in tables/ beside the page.",
)
FIGURES = click.option(
    "--figures", is_flag=True, help="Also each figure as SVG and PDF, in figures/ beside the page."
)
