"""A search as a section of a page."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from cifarmlp.config import override_with, to_yaml, words
from cifarmlp.render.document import Block, Cell, Link, Listing, Picture, Section, Table, Text
from cifarmlp.render.trials import draw_trials
from cifarmlp.report.origin import origin_blocks
from cifarmlp.search.folder import Search
from cifarmlp.search.ranking import STOPPED
from cifarmlp.search.sampling import describe_values
from cifarmlp.search.summary import points_by_stage, summarise_search, validation_accuracy
from cifarmlp.stats import doubt_of_few
from cifarmlp.text import counted, duration, escape, short_value
from cifarmlp.training.environment import read_environment

TOP = 10


def search_section(search: Search, title: str, target: str) -> Section:
    """Return the section of a search; target: its folder, relative to the page."""
    return Section(title, tuple(_blocks(search, title, target)))


def search_sentence(search: Search) -> str:
    """Return the result in a sentence."""
    best = summarise_search(search, 1)["best"]
    if best is None:
        yet = " yet" * (search.plan.status != "finished")
        return f"{words.network(search.config)}: no trial has finished{yet}."
    values = describe_values(search.values(best["trial"]))
    return (
        f"{words.network(search.config)}: of {len(search.trials())} trials the best is number "
        f"{best['trial']} with {values}: validation accuracy {validation_accuracy(best)}."
    )


def _blocks(search: Search, title: str, target: str) -> Iterator[Block]:
    summary = summarise_search(search, TOP)
    yield from _unfinished(search)
    yield from _unranked(search)
    yield from _doubt(search, summary)
    if summary["best"] is not None:
        yield _picture(search, title)
    for table in summary["tables"]:
        yield _table(search, title, table)
    yield _settings(search, title, target)
    yield from origin_blocks(read_environment(search.folder), title)
    if summary["best"] is not None:
        best = override_with(search.config, search.values(summary["best"]["trial"]))
        yield Listing("the config of the best trial", to_yaml(best.model_copy(update={"search": None})))
    yield Listing("config.yaml of the search", to_yaml(search.config))


def _unranked(search: Search) -> Iterator[Block]:
    states = [trial.status for trial in search.trials()]
    fates = {"diverged": "diverged", STOPPED: "fell behind and stopped at the end of a cycle"}
    for status, what in fates.items():
        if count := states.count(status):
            yield Text(f"{counted(count, 'trial')} {what}: not ranked; see trials.csv.")


def _unfinished(search: Search) -> Iterator[Block]:
    for fault in search.faults[:3]:
        yield Text(f"{fault}; that training is to be done again.", "note")
    failed = len(search.failed())
    if failed:
        yield Text(f"{counted(failed, 'trial')} could not be trained; see trials.csv.", "note")
    if search.plan.status != "finished" or failed:
        yield Text("The search has not ended. To go on with it:", "note")
        yield Text(f"cifarmlp search --resume {escape(shlex.quote(str(search.folder)))}", "command")


def _doubt(search: Search, summary: Mapping[str, Any]) -> Iterator[Block]:
    images, others = search.config.data.validation_images, summary.get("not_told_from_the_best", 0)
    if doubt := doubt_of_few("ranked", images):
        yield Text(f"{doubt.capitalize()}.", "note")
    if others:
        yield Text(
            f"{others} other trial{'s are' if others > 1 else ' is'} not significantly worse than the best "
            "one: nearer than twice the standard error of a difference (that of an accuracy: "
            f"{summary['standard_error']:.4f}). The ranking among them is luck.",
            "note",
        )


def _picture(search: Search, title: str) -> Picture:
    caption = f"{title}: validation accuracy of each trial against the values that were searched."
    draw = lambda: draw_trials(*points_by_stage(search), title=search.config.name)  # noqa: E731
    return Picture(f"{title}-trials", caption, draw, search_sentence(search))


def _table(search: Search, title: str, table: Mapping[str, Any]) -> Table:
    keys = tuple(search.fields)
    rows = tuple(
        (
            str(entry["trial"]),
            *(short_value(entry[key]) for key in keys),
            f"{entry['train_accuracy']:.4f}",
            validation_accuracy(entry),
        )
        for entry in table["top"]
    )
    caption = f"{title}, {table['of']}: the best {len(rows)} of {table['trials']} trials."
    header = ("trial", *keys, "training accuracy", "validation accuracy")
    return Table(f"{title}-{table['of']}", caption, header, rows)


def _settings(search: Search, title: str, target: str) -> Table:
    trials = search.trials()
    seconds = sum(trial.seconds for trial in trials if trial.seconds == trial.seconds)
    counts = {stage: sum(search.stage(t.trial) == stage for t in trials) for stage in ("coarse", "fine")}
    rows: tuple[tuple[Cell, ...], ...] = (
        ("trials", ", ".join(f"{count} {stage}" for stage, count in counts.items() if count) or "none yet"),
        ("seeds a trial", str(search.plan.seeds)),
        ("searched", ", ".join(search.fields)),
        *words.describe(search.config).items(),
        ("time of all trials, one after the other", duration(seconds)),
        ("folder", Link(escape(search.folder.name) or ".", target)),
    )
    return Table(f"{title}-settings", f"{title}: what was searched.", ("setting", "value"), rows)
