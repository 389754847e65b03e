"""A training, of one seed or several, as a section of a page."""

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cifarmlp.config import to_yaml, words
from cifarmlp.errors import RunFolderError
from cifarmlp.render.document import Block, Cell, Link, Listing, Picture, Section, Table, Text, Verdict
from cifarmlp.render.means import has_diverged
from cifarmlp.report.origin import origin_blocks
from cifarmlp.runs.folder import Run, Seed
from cifarmlp.stats import format_mean_std, format_number
from cifarmlp.study.folder import PullRow
from cifarmlp.text import duration, escape
from cifarmlp.training.curves import draw_curves
from cifarmlp.training.environment import read_environment
from cifarmlp.training.metrics import read_metrics
from cifarmlp.training.outcome import LOOKED_AT, Outcome, parts_of, read_planned, summarise

Rows = Sequence[Mapping[str, float]]


def training_section(run: Run, title: str, target: str) -> Section:
    """Return the section of a training; target: the run's folder, relative to the page."""
    return Section(title, tuple(_blocks(run, title, target)))


def training_sentence(run: Run) -> str:
    """Return the result in a sentence."""
    outcomes = run.outcomes()
    if not outcomes:
        return f"{words.network(run.config)}: no training has ended yet."
    n = len(outcomes)
    over = f"mean ± std over n = {n} seeds" if n > 1 else f"seed {outcomes[0].seed}"
    accuracy = format_mean_std(summarise(outcomes)["test"]["accuracy"])
    states = dict.fromkeys(state.words for state in map(state_of, outcomes) if state.tone == "bad")
    results = ", ".join([*states, *([f"test accuracy {accuracy}"] if accuracy != "-" else [])])
    return f"{words.network(run.config)}: {results} ({over})."


def _blocks(run: Run, title: str, target: str) -> Iterator[Block]:
    metrics = [read_metrics(seed.folder) for seed in run.seeds]
    yield from _unfinished(run)
    yield from _damage(run, [faults for _, faults in metrics])
    yield from _advice(run)
    yield _results(run, title)
    yield from curves_pictures(run, [rows for rows, _ in metrics], title, title)
    yield _settings(run, title, target)
    places = [seed.folder for seed in run.seeds] or [run.folder]
    yield from origin_blocks(read_environment(places[0]), title)
    yield Listing("config.yaml, every default written out", to_yaml(run.config))


def has_curve(rows: Rows) -> bool:
    """Return whether a training has two points to draw a line between."""
    return sum(math.isfinite(row.get("train_loss", math.nan)) for row in rows) > 1


def _unfinished(run: Run) -> Iterator[Block]:
    planned = _planned(run.folder)
    ended = len(run.outcomes())
    if ended < max(planned, len(run.seeds)):
        what = f"{ended} of {planned} seeds have ended" if planned > 1 else "The training has not ended"
        yield Text(f"{what}, or the files of a seed are damaged. To go on with it:", "note")
        yield Text(f"cifarmlp train --resume {escape(shlex.quote(str(run.folder)))}", "command")


def _damage(run: Run, of_rows: Sequence[Sequence[str]]) -> Iterator[Block]:
    """Yield a line about each file that is damaged, and of rows of metrics.csv about the first few."""
    every = [
        (seed.folder, [*rows, *seed.file_faults()]) for seed, rows in zip(run.seeds, of_rows, strict=True)
    ]
    faults = [f"{escape(str(folder))}: {fault}" for folder, told in every for fault in told]
    if faults:
        more = [f"and {len(faults) - 5} more"] if len(faults) > 5 else []
        yield Text("\n".join([*faults[:5], *more]), "note")


def _planned(folder: Path) -> int:
    try:
        return read_planned(folder)
    except RunFolderError:
        return 1


def _advice(run: Run) -> Iterator[Block]:
    """Yield the advice of the first seed that did not learn, and the numbers of the others like it."""
    advised = [outcome for outcome in run.outcomes() if outcome.advice]
    if advised:
        others = ", ".join(str(outcome.seed) for outcome in advised[1:])
        likewise = [f"likewise: seed{'s' * (len(advised) > 2)} {others}"] if others else []
        who = [f"seed {advised[0].seed}:"] if len(run.seeds) > 1 else []
        yield Text("\n".join([*who, *advised[0].advice, *likewise]), "note")


def _results(run: Run, title: str) -> Table:
    columns = [(part, q) for q in ("accuracy", "loss") for part in parts_of([run.config])]
    names = tuple(f"{part} {quantity}" for part, quantity in columns)
    rows = [_row(seed, columns) for seed in run.seeds]
    outcomes = run.outcomes()
    if len(outcomes) > 1:
        summary = summarise(outcomes)
        means = (format_mean_std(summary[part][quantity]) for part, quantity in columns)
        rows.append((f"mean ± std, n = {len(outcomes)}", "", *means, ""))
    at = (
        "at the step with the best validation accuracy"
        if run.config.training.keep == "best"
        else "at the end"
    )
    caption = f"{title}: accuracy (fraction of the images) and loss ({words.loss(run.config)}) {at}."
    if run.config.training.evaluate_test:
        caption += f" The test images were {LOOKED_AT}."
    return Table(f"{title}-results", caption, ("seed", "state", *names, "time"), tuple(rows))


def _row(seed: Seed, columns: Sequence[tuple[str, str]]) -> tuple[Cell, ...]:
    outcome = seed.outcome
    if outcome is None:
        return (str(seed.config.seed), Verdict("not ended", "open"), *["-"] * len(columns), "-")
    numbers = [format_number(outcome.metric(part, quantity)) for part, quantity in columns]
    return (str(seed.config.seed), state_of(outcome), *numbers, f"{outcome.seconds:.1f} s")


def state_of(outcome: Outcome) -> Verdict:
    """Return how a training ended, with a tone."""
    if outcome.status == "diverged":
        return Verdict(f"diverged at step {outcome.diverged_at}", "bad")
    if outcome.at_chance:
        return Verdict("at chance level", "bad")
    steps = f", kept step {outcome.kept_step}" if outcome.kept_step is not None else ""
    early = f" early at step {outcome.steps}" if outcome.stopped else ""
    return Verdict(f"finished{early}{steps}", "good")


def curves_pictures(run: Run, rows: Sequence[Rows], title: str, name: str) -> Iterator[Picture]:
    """Yield a picture of cost, loss, accuracy and eta against steps, if there is a line to draw.

    rows: of each seed's metrics.csv. name: of the picture's file.
    """
    if not any(map(has_curve, rows)):
        return
    batches = [seed.batch_losses() for seed in run.seeds]
    light = " The light curve: the loss of the mini-batches, in training." if any(batches) else ""
    caption = f"{title}: cost, loss and accuracy, and eta, against steps.{light}{_spread(rows)}"
    yield Picture(
        f"{name}-curves",
        caption,
        lambda: draw_curves(run.config, rows, title, batches),
        f"Curves of a training. {training_sentence(run)}",
    )


def _spread(trainings: Sequence[Rows]) -> str:
    """Return how many seeds the lines are the mean of, and how those that diverged are drawn."""
    begun = [rows for rows in trainings if rows]
    lost = sum(map(has_diverged, begun))
    n = len(begun) - lost
    mean = f" Lines: mean of n = {n} seeds; bands: ± one standard deviation." if n > 1 else ""
    if not lost:
        return mean
    which = "It" if len(begun) == 1 else f"{lost} of {len(begun)} seeds"
    return f"{mean} {which} diverged: the curve leaves at the top, at the cross."


def _settings(run: Run, title: str, target: str) -> Table:
    outcomes = run.outcomes()
    rows: list[tuple[Cell, ...]] = list(words.describe(run.config).items())
    if outcomes:
        steps = max(outcome.steps for outcome in outcomes)
        epochs = max(outcome.epochs for outcome in outcomes)
        seconds = sum(outcome.seconds for outcome in outcomes)
        rows.append(("trained for", f"{steps} steps, {epochs:.1f} epochs"))
        rows.append(
            ("time", f"{duration(seconds)}{' for all seeds' * (len(outcomes) > 1)}, with evaluations")
        )
    rows.append(("folder", Link(escape(run.folder.name) or ".", target)))
    return Table(f"{title}-settings", f"{title}: what was trained.", ("setting", "value"), tuple(rows))


PULLS = (
    "Gradient and decay are the root mean squares of the two terms of the gradient of the cost with respect "
    "to a layer's weights: that of the loss, and 2 lambda W of the L2 term. Where the second is the larger "
    "one the weights shrink, the outputs' spread with them, and then the gradients further."
)


def failure_blocks(run: Run, title: str, pulls: Sequence[PullRow], name: str) -> Iterator[Block]:
    """Yield what was seen of the first seed that stayed at chance level or diverged.

    pulls: gradient and decay of each layer at some steps. name: of the files of tables.
    """
    advised = [outcome for outcome in run.outcomes() if outcome.advice]
    if not advised:
        return
    first, seeds = advised[0], ", ".join(str(outcome.seed) for outcome in advised)
    reason = first.advice[0].partition(";")[0] if first.at_chance else first.advice[0]
    yield Text(f"{title}, seed{'s' * (len(advised) > 1)} {seeds}: {reason}.", "note")
    if first.layers:
        yield _layers(first, title, pulls, name)
    if first.layers and pulls:
        yield Text(PULLS)


def _layers(outcome: Outcome, title: str, pulls: Sequence[PullRow], name: str) -> Table:
    steps = sorted({int(row["step"]) for row in pulls})
    columns = [f"gradient, decay at step {step}" for step in steps]
    rows: list[tuple[Cell, ...]] = []
    for layer in outcome.layers:
        at = {int(row["step"]): row for row in pulls if row["layer"] == layer["layer"]}
        pairs = [
            f"{at[step]['gradient']:.1e}, {at[step]['decay']:.1e}" if step in at else "-" for step in steps
        ]
        rows.append((f"{layer['layer']:g}", f"{layer['dead']:.0%}", f"{layer['spread']:.1e}", *pairs))
    header = ("layer", "dead units at the end", "spread of the outputs at the end", *columns)
    caption = f"{title}: its layers, from the input, seed {outcome.seed}."
    return Table(f"{name}-layers", caption, header, tuple(rows))
