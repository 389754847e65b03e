"""A study as a page: every table and figure, reported next to obtained, with verdicts."""

import math
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from cifarmlp.render.document import Block, Cell, Link, Page, Section, Table, Text, Verdict
from cifarmlp.report.comparison import overlay_pictures
from cifarmlp.report.origin import origin_blocks, relative_path
from cifarmlp.report.search import search_section
from cifarmlp.report.training import curves_pictures, failure_blocks
from cifarmlp.report.verdicts import (
    conclusion_table,
    conclusions_section,
    gradient_table,
    mistake_notes,
    number_table,
    rules_section,
    study_name,
    summary_table,
)
from cifarmlp.runs.comparison import origin_changes
from cifarmlp.runs.folder import Run
from cifarmlp.search.folder import Search
from cifarmlp.search.summary import summarise_search
from cifarmlp.stats import format_mean_std, format_number
from cifarmlp.study.folder import StudyFolder
from cifarmlp.study.judge import format_values, judge_conclusions, judge_outcome, judge_trials
from cifarmlp.study.schema import Experiment, StudySection
from cifarmlp.text import duration
from cifarmlp.training.environment import read_environment
from cifarmlp.training.outcome import PARTS, Outcome, summarise
from cifarmlp.training.provenance import EFFECT


def study_page(studies: Sequence[StudyFolder], beside: Path) -> Page:
    """Return the page of one or several studies; beside: the folder that the page will stand in."""
    title = studies[0].study.title if len(studies) == 1 else "Published numbers, trained again"
    sections = [section for state in studies for section in _sections(state, beside, len(studies) > 1)]
    origin = Section("How it was made", tuple(block for state in studies for block in _origin(state)))
    whole = (*conclusions_section(studies), *sections, rules_section(), origin)
    return Page(title, (*_texts(studies), summary_table(studies), *_notes(studies)), whole)


def _texts(studies: Sequence[StudyFolder]) -> Iterator[Text]:
    for state in studies:
        text = f"{state.study.title}. {state.study.text}" if len(studies) > 1 else state.study.text
        if text:
            yield Text(text)


def _notes(studies: Sequence[StudyFolder]) -> Iterator[Text]:
    faults = (f"{fault}." for state in studies for fault in state.faults)
    origins = (_origin_note(state) for state in studies)
    for note in (_progress_note(studies), *faults, _change_note(studies), _image_note(studies), *origins):
        if note:
            yield Text(note, "note")


def _progress_note(studies: Sequence[StudyFolder]) -> str:
    if all(state.record.status == "finished" for state in studies):
        return ""
    return "A study has not ended; what is missing here was not trained yet."


def _change_note(studies: Sequence[StudyFolder]) -> str:
    requests = [state.record.asked for state in studies]
    changes = sorted({f"--set {text}" for request in requests for text in request.overrides})
    changes += sorted({f"--trials {request.trials}" for request in requests if request.trials})
    if not changes:
        return ""
    return f"Every config was changed, with {', '.join(changes)}: what was reported is of other settings."


def _image_note(studies: Sequence[StudyFolder]) -> str:
    environments = [read_environment(folder) for state in studies for folder in _folders(state)]
    images = [each.data for each in environments if each]
    if all(each.source != "cifar10" or each.official for each in images):
        return ""
    return (
        "The images that this was trained on do not have the official CIFAR-10's checksum: the "
        "accuracies are those of this copy."
    )


def _origin_note(state: StudyFolder) -> str:
    """Return what to tell of a study whose runs were made of different images, code or numerics; or ''."""
    by_source: dict[str, list[Run]] = {}
    for run in state.experiments.values():
        by_source.setdefault(run.config.data.source, []).append(run)
    changes = [origin_changes(*runs) for runs in by_source.values()]
    name = study_name(state)
    if any(each.images for each in changes):
        return f"{name}: its runs were trained on different images, and the conclusions from those are open."
    told = "; ".join(dict.fromkeys(each.tolerable for each in changes if each.tolerable))
    return f"{name}: its runs were made with {told}: {EFFECT}." if told else ""


def _sections(state: StudyFolder, beside: Path, several: bool) -> Iterator[Section]:
    for section in state.study.sections:
        blocks = tuple(_blocks(state, section, beside))
        title = f"{study_name(state)}: {section.title[0].lower()}{section.title[1:]}"
        yield Section(title if several else section.title, blocks)


def _blocks(state: StudyFolder, section: StudySection, beside: Path) -> Iterator[Block]:
    name = f"{state.record.asked.name}-{section.title}"
    if section.text:
        yield Text(section.text)
    if _has_work(section) and not _is_begun(state, section):
        yield Text("Nothing of this section has been run yet.", "note")
        return
    for check in section.gradcheck:
        yield gradient_table(state, check, name)
        yield from mistake_notes(state, check)
    if section.experiments:
        yield from _experiment_blocks(state, section, name, beside)
    if section.search:
        yield from _search_blocks(state, section, name, beside)
    conclusions = list(judge_conclusions(state, section))
    if conclusions:
        yield conclusion_table(f"{name}-conclusions", f"{section.title}: conclusions.", conclusions)


def _has_work(section: StudySection) -> bool:
    return bool(section.experiments or section.comparisons or section.gradcheck or section.search)


def _is_begun(state: StudyFolder, section: StudySection) -> bool:
    names = [experiment.name for experiment in section.experiments]
    names += [name for claim in section.comparisons for name in claim.of]
    is_checked = any(state.differences(check.name) for check in section.gradcheck)
    return is_checked or section.title in state.searches or any(name in state.experiments for name in names)


def _experiment_blocks(state: StudyFolder, section: StudySection, name: str, beside: Path) -> Iterator[Block]:
    begun = [each for each in section.experiments if each.name in state.experiments]
    numbers = [judgement for each in begun for judgement in judge_outcome(state, each)]
    if numbers:
        caption = f"{section.title}: reported numbers and ours; accuracies are fractions of the images."
        yield number_table(f"{name}-numbers", caption, numbers)
    yield _results(state, section, name, beside)
    yield _losses(state, section, name)
    if section.curves:
        runs = {each.name: state.experiments[each.name] for each in begun}
        yield from overlay_pictures(runs, f"{name}-all", least=2)
    for experiment in section.experiments:
        yield from _details(state, section, experiment, f"{name}-{experiment.name}")


def _results(state: StudyFolder, section: StudySection, name: str, beside: Path) -> Table:
    """Return the accuracies of each experiment, reported or not, with links to its runs and config."""
    runs = [(each.name, state.experiments.get(each.name)) for each in section.experiments]
    rows = tuple((title, *_result(run), *_links(run, beside)) for title, run in runs)
    columns = [f"{part} accuracy" for part in PARTS]
    header = ("experiment", "n", "state", *columns, "time", "runs", "config")
    caption = f"{section.title}: accuracies of all runs, mean ± std over n seeds."
    return Table(f"{name}-runs", caption, header, rows)


def _losses(state: StudyFolder, section: StudySection, name: str) -> Table:
    runs = [(each.name, state.experiments.get(each.name)) for each in section.experiments]
    rows = tuple((title, *_seeds_and_means(run.outcomes() if run else [], "loss")) for title, run in runs)
    header = ("experiment", "n", *(f"{part} loss" for part in PARTS))
    return Table(f"{name}-losses", f"{section.title}: losses, mean ± std over n seeds.", header, rows)


def _seeds_and_means(outcomes: Sequence[Outcome], quantity: str) -> tuple[str, ...]:
    summary = summarise(outcomes)
    return str(len(outcomes)), *(format_mean_std(summary[part][quantity]) for part in PARTS)


def _links(run: Run | None, beside: Path) -> tuple[Cell, Cell]:
    if run is None:
        return "-", "-"
    target = relative_path(run.folder, beside)
    return Link("folder", target), Link("config", f"{target}/config.yaml")


def _result(run: Run | None) -> tuple[Cell, ...]:
    outcomes = run.outcomes() if run else []
    n, *means = _seeds_and_means(outcomes, "accuracy")
    return n, _state(outcomes), *means, duration(sum(outcome.seconds for outcome in outcomes)) if run else "-"


def _state(outcomes: Sequence[Outcome]) -> Verdict:
    """Return the worst that happened to a seed, and to how many."""
    diverged = sum(outcome.status == "diverged" for outcome in outcomes)
    stuck = sum(outcome.at_chance for outcome in outcomes)
    if diverged:
        return Verdict(f"{diverged} of {len(outcomes)} diverged", "bad")
    if stuck:
        return Verdict(f"{stuck} of {len(outcomes)} at chance level", "bad")
    return Verdict("finished", "good") if outcomes else Verdict("not trained yet", "open")


def _details(state: StudyFolder, section: StudySection, experiment: Experiment, name: str) -> Iterator[Block]:
    """Yield the note of an experiment, its curves, and what was seen of seeds that did not learn."""
    run = state.experiments.get(experiment.name)
    if run is None or not run.outcomes():
        return
    if experiment.note:
        yield Text(experiment.note)
    if section.curves:
        yield from curves_pictures(run, [seed.rows() for seed in run.seeds], experiment.name, name)
    yield from failure_blocks(run, experiment.name, state.record.pulls.get(experiment.name, []), name)


def _search_blocks(state: StudyFolder, section: StudySection, name: str, beside: Path) -> Iterator[Block]:
    search = state.searches.get(section.title)
    if search is None or not search.trials():
        yield Text("The search was not begun yet.", "note")
        return
    judgements = list(judge_trials(state, section))
    if judgements:
        caption = f"{section.title}: reported trials against our nearest ones."
        yield number_table(f"{name}-numbers", caption, judgements)
    rows = [row for stage in ("coarse", "fine") for row in _ranks(search, section, stage)]
    if rows:
        header = ("rank", "reported", "train", "validation", "ours", "train", "validation")
        caption = f"{section.title}: the best trials by validation accuracy, as reported and ours."
        yield Table(f"{name}-ranks", caption, header, tuple(rows))
    yield from search_section(search, section.title, relative_path(search.folder, beside)).blocks


def _ranks(search: Search, section: StudySection, stage: str) -> Iterator[tuple[Cell, ...]]:
    """Yield the best reported trials of a stage next to as many of ours, rank by rank."""
    assert section.search is not None
    theirs = sorted(getattr(section.search.reported, stage), key=lambda trial: -(trial.validation or 0))
    tables = summarise_search(search, max(1, len(theirs)))["tables"]
    ours = [entry for table in tables if table["of"].startswith(stage) for entry in table["top"]]
    ours.sort(key=lambda entry: -entry["validation_accuracy"])
    for rank, (trial, entry) in enumerate(zip(theirs, ours, strict=False), 1):
        values = {key: float(entry[key]) for key in search.fields}
        reported = (format_number(trial.train), format_number(trial.validation))
        obtained = (format_number(entry["train_accuracy"]), format_number(entry["validation_accuracy"]))
        yield (f"{stage} {rank}", format_values(trial.values), *reported, format_values(values), *obtained)


def _origin(state: StudyFolder) -> Iterator[Block]:
    yield _time_table(state)
    if state.record.command:
        yield Text("The command:")
        yield Text(shlex.join(state.record.command), "command")
    environment = next(map(read_environment, _folders(state)), None)
    yield from (b for b in origin_blocks(environment, state.record.asked.name) if isinstance(b, Table))


def _folders(state: StudyFolder) -> Iterator[Path]:
    for run in state.experiments.values():
        yield from (seed.folder for seed in run.seeds if seed.outcome)
    for search in state.searches.values():
        yield search.folder


def _time_table(state: StudyFolder) -> Table:
    rows = tuple(row for section in state.study.sections for row in _time_row(state, section))
    total, jobs = duration(state.record.seconds), f"{state.record.jobs} side by side"
    caption = f"{state.study.title}: time of the trainings, each by itself; {total} in all, {jobs}."
    return Table(f"{state.record.asked.name}-time", caption, ("section", "trainings", "steps", "time"), rows)


def _time_row(state: StudyFolder, section: StudySection) -> Iterator[tuple[Cell, ...]]:
    runs = [state.experiments[e.name] for e in section.experiments if e.name in state.experiments]
    outcomes = [outcome for run in runs for outcome in run.outcomes()]
    search = state.searches.get(section.title)
    trials = search.trials() if search else []
    seconds = sum(outcome.seconds for outcome in outcomes)
    seconds += sum(trial.seconds for trial in trials if not math.isnan(trial.seconds))
    steps = sum(outcome.steps for outcome in outcomes)
    if outcomes or trials:
        yield section.title, str(len(outcomes) + len(trials)), str(steps or "-"), duration(seconds)
