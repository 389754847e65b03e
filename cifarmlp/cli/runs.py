"""Commands on existing runs: runs, compare, evaluate."""

from pathlib import Path

import click

from cifarmlp.cli.options import ANY_PATH, DATA_DIR, JSON, OUT, QUIET, SEED

SORTS = ("date", "name", "status", "test", "validation", "seconds")


@click.command()
@click.argument("directory", required=False, type=ANY_PATH, metavar="[DIR]")
@click.option(
    "--sort", type=click.Choice(SORTS), default="date", show_default=True, help="Newest or best first."
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only such runs; KEY is status, kind, name (with * and ?) or a config's dotted key. Repeatable.",
)
@OUT
@JSON
def runs(directory: Path | None, sort: str, filters: tuple[str, ...], out: Path, as_json: bool) -> None:
    """List the runs in DIR, which is another way to say --out: a row for each run folder.

    Accuracies are mean ± std over seeds; a search's is that of its best trial.
    """
    from cifarmlp.cli.screen.runs import print_listing
    from cifarmlp.runs.filters import parse_filter
    from cifarmlp.runs.folder import find_run
    from cifarmlp.runs.listing import list_entries, sort_entries

    folder = find_run(directory) if directory else out
    tests = [parse_filter(text) for text in filters]
    nothing_yet = directory is None and not out.exists()
    entries = [] if nothing_yet else list_entries(folder)
    kept = [entry for entry in entries if all(test(entry) for test in tests)]
    print_listing(folder, sort_entries(kept, sort), len(entries), as_json)


@click.command()
@click.argument("folders", nargs=-1, type=ANY_PATH, metavar="RUN...")
@click.option(
    "--figure", type=ANY_PATH, metavar="PNG", default=Path("compare.png"), show_default=True,
    help="Where the curves go; only an earlier comparison is overwritten.",
)  # fmt: skip
@QUIET
@JSON
def compare(folders: tuple[Path, ...], figure: Path, quiet: bool, as_json: bool) -> None:
    """Compare RUNs, trainings or repeated ones: results, differences of their configs, overlaid curves.

    The others are compared with the first, seed by seed, where they share two seeds or more.
    """
    from cifarmlp.cli.screen.runs import print_comparison, print_notes
    from cifarmlp.runs import comparison
    from cifarmlp.runs.folder import find_run

    comparison.refuse_other_picture(figure)
    compared = comparison.compare([find_run(folder) for folder in folders])
    has_curves = comparison.draw_comparison(compared, figure)
    print_comparison(compared, figure if has_curves else None, as_json)
    if not quiet:
        print_notes(compared)


@click.command()
@click.argument("runs", nargs=-1, required=True, type=ANY_PATH, metavar="RUN...")
@click.option(
    "--part", type=click.Choice(["train", "validation", "test"]), default="test", show_default=True,
    help="Which images.",
)  # fmt: skip
@SEED
@click.option("--ensemble", is_flag=True, help="Average the probabilities of all models of all RUNs.")
@click.option(
    "--mirror", is_flag=True, help="Average also those of the mirror images: each model is two members."
)
@click.option(
    "--shift", type=click.IntRange(0, 8), default=0, show_default=True,
    help="Average also those of images moved by up to so many pixels, 4 moves with 1, 12 with 2, 24 with 3.",
)  # fmt: skip
@DATA_DIR
@JSON
def evaluate(
    runs: tuple[Path, ...],
    part: str,
    seed: int | None,
    ensemble: bool,
    mirror: bool,
    shift: int,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Evaluate the saved model of each RUN: a training's folder, or its name in runs/; of a repeated one, all
    its seeds. A snapshot is evaluated by its path, as runs/NAME-001/snapshot-4500.npz.

    Accuracy, precision, recall and F1 by class, confusion matrix and commonest mistakes; pictures of them go
    into the folder, and of one network its first layer's weights and its most confident mistakes.
    """
    from cifarmlp import data
    from cifarmlp.cli.screen.evaluation import print_ensemble, print_pictures, print_reports
    from cifarmlp.config import Config
    from cifarmlp.runs import evaluation
    from cifarmlp.runs.ensemble import evaluate_ensemble
    from cifarmlp.runs.folder import find_run

    def load(config: Config) -> data.Dataset:
        return data.load(config.data.source, data_dir)

    places = [find_run(run) for run in runs]
    if ensemble or mirror or shift:
        found = evaluate_ensemble(places, load, part, seed, mirror, shift, snapshots=ensemble)
        print_ensemble(found, as_json)
        return
    reports = []
    for place in places:
        folder, seeds = evaluation.choose_seeds(place, seed)
        reports.append(evaluation.evaluate(folder, seeds, load(seeds[0].config), part))
    print_reports(reports, as_json)
    pictures = [path for report in reports for path in evaluation.draw_report(report)]
    if not as_json:
        print_pictures(pictures)
