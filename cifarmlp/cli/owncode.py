"""The commands `case` and `diagnose`, for code of one's own."""

import sys
from pathlib import Path

import click

from cifarmlp.cli.options import ANY_PATH, JSON, SET, complete_config
from cifarmlp.errors import ConfigError
from cifarmlp.text import escape

DEFAULT = "quickstart"
DEFAULT_CHANGES = ["network.hidden=[10, 8, 6]", "training.lambda=0.01"]


@click.command()
@click.argument("path", metavar="CASE", type=ANY_PATH)
@click.argument("config", required=False, shell_complete=complete_config)
@SET
@click.option("--images", type=click.IntRange(2, 10_000), default=20, show_default=True, help="Mini-batch.")
@click.option(
    "--layout", type=click.Choice(["rows", "columns"]), help="[default: rows in .npz, columns in .mat]"
)
@click.option("--full", is_flag=True, help="Keep the widths of CONFIG and all 3072 pixels.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=1, show_default=True, help="Of the draw.")
def case(
    path: Path,
    config: str | None,
    overrides: tuple[str, ...],
    images: int,
    layout: str | None,
    full: bool,
    seed: int,
) -> None:
    """Write a small case with known answers to CASE, a file .npz or .mat, and a readme beside it.

    The network is that of CONFIG, made small: as many layers, 10, 8, 6, 10, ... units, 100 pixels. Without
    CONFIG it has 4 layers and batch norm. Run your own functions on it, save what they compute, and ask
    `cifarmlp diagnose CASE MINE` what is wrong.
    """
    import numpy as np

    from cifarmlp import files
    from cifarmlp.config import find_config, load_config
    from cifarmlp.owncode.case import draw_case, small, write_case
    from cifarmlp.owncode.readme import readme_of

    if path.exists():
        raise ConfigError(f"{path}: exists already; give another name, or remove it")
    chosen = load_config(find_config(config or DEFAULT), [*([] if config else DEFAULT_CHANGES), *overrides])
    pixels, hidden = (chosen.network.sizes[0], list(chosen.network.hidden)) if full else small(chosen)
    drawn = draw_case(chosen, pixels, hidden, images, np.random.default_rng([seed, 3]))
    layout = layout or ("columns" if path.suffix == ".mat" else "rows")
    write_case(path, drawn, layout)
    readme = path.with_name(f"{path.stem}-readme.md")
    if readme.exists():  # of a case of the same name in the other form
        readme = path.with_name(f"{path.name}-readme.md")
    files.write_text(readme, readme_of(drawn, path, layout))
    click.echo(f"{escape(str(path))}\n{escape(str(readme))}")


@click.command()
@click.argument("path", metavar="CASE", type=ANY_PATH)
@click.argument("mine", metavar="MINE", type=ANY_PATH)
@JSON
def diagnose(path: Path, mine: Path, as_json: bool) -> None:
    """Tell what is wrong in the numbers in MINE, and which mistake makes them.

    MINE is a file .npz or .mat with any part of the quantities that the readme of CASE lists. Exit code 0 if
    all are right, 1 if not.
    """
    from cifarmlp.cli.screen.owncode import print_diagnosis
    from cifarmlp.owncode.answers import read_answers
    from cifarmlp.owncode.case import read_case
    from cifarmlp.owncode.diagnose import diagnose_answers
    from cifarmlp.owncode.reference import answers_of

    drawn = read_case(path)
    found = diagnose_answers(drawn, read_answers(mine, drawn, answers_of(drawn)[0]))
    print_diagnosis(found, as_json)
    sys.exit(0 if found.right else 1)
