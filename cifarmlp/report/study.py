"""A study as a report: every table and figure, what was reported of it, what came of it, and verdicts."""

import os
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cifarmlp.render.document import Block, Cell, Link, Page, Section, Table, Text, Tone, Verdict
from cifarmlp.report.search import search_section
from cifarmlp.report.training import (
    curves_picture,
    failure_blocks,
    format_number,
    has_curves,
    origin_blocks,
)
from cifarmlp.runs.folder import Run
from cifarmlp.search.folder import Search
from cifarmlp.search.summary import summarise_search
from cifarmlp.stats import format_mean_std
from cifarmlp.study import rules
from cifarmlp.study.folder import StudyFolder
from cifarmlp.study.judge import (
    Judgement,
    format_values,
    judge_accuracies,
    judge_conclusions,
    judge_gradients,
    judge_numbers,
    judge_trials,
)
from cifarmlp.study.schema import Experiment, GradientCheck, StudySection
from cifarmlp.text import duration
from cifarmlp.training.environment import read_environment
from cifarmlp.training.outcome import summarise

HEADER = ("of", "quantity", "reported", "obtained", "verdict")
SHOWN = (("train", "loss"), ("validation", "loss"), ("test", "accuracy"))
TONES: dict[Tone, str] = {"good": "hold", "bad": "do not hold", "open": "can't be told"}


def study_page(studies: Sequence[StudyFolder], beside: Path) -> Page:
    """The report of one or several studies; its page will stand in the folder `beside`."""
    title = studies[0].study.title if len(studies) == 1 else "Published numbers, trained again"
    sections = [section for state in studies for section in study_sections(state, beside, len(studies) > 1)]
    whole = (*_conclusions(studies), *sections, _rules(), *_made(studies, beside))
    return Page(title, tuple(_summary(studies)), whole)


def study_sections(state: StudyFolder, beside: Path, several: bool) -> Iterator[Section]:
    """The study's own sections."""
    for section in state.study.sections:
        name = f"{state.record.asked.name.replace('-', ' ').capitalize()}: " if several else ""
        title = section.title[0].lower() + section.title[1:] if several else section.title
        yield Section(f"{name}{title}", tuple(_blocks(state, section, beside)))


def _summary(studies: Sequence[StudyFolder]) -> Iterator[Block]:
    for state in studies:
        told = f"{state.study.title}. {state.study.text}" if len(studies) > 1 else state.study.text
        if told:
            yield Text(told)
    header = ("study", "of", *(words for words in TONES.values()), "time")
    rows = tuple(row for state in studies for row in _counts(state))
    yield Table("summary", "What was reported and concluded, and how much of it holds.", header, rows)
    if any(state.record.status != "finished" for state in studies):
        yield Text("A study has not ended; what is missing here was not trained yet.", "note")
    changed = sorted({f"--set {text}" for s in studies for text in s.record.asked.overrides})
    changed += sorted({f"--trials {s.record.asked.trials}" for s in studies if s.record.asked.trials})
    if changed:
        yield Text(
            f"Every config was changed, with {', '.join(changed)}: what was reported is of other settings.",
            "note",
        )
    environments = [read_environment(folder) for state in studies for folder in _folders(state)]
    images = [each.data for each in environments if each]
    if any(each.source == "cifar10" and not each.official for each in images):
        yield Text(
            "The images that this was trained on do not have the official CIFAR-10's checksum: the "
            "accuracies are those of this copy.",
            "note",
        )


def _counts(state: StudyFolder) -> Iterator[tuple[Cell, ...]]:
    name = state.record.asked.name.replace("-", " ").capitalize()
    for kind, found in all_judgements(state).items():
        tones = Counter(each.verdict.tone for each in found)
        time = f"{duration(state.record.seconds)}{_copied(state)}" if kind == "reported numbers" else ""
        yield (name, f"{len(found)} {kind}", *(str(tones[tone]) for tone in TONES), time)


def _copied(state: StudyFolder) -> str:
    if not state.record.copied:
        return ""
    seconds = duration(state.record.copied_seconds)
    return f", and {seconds} of {state.record.copied} runs that were there before"


def all_judgements(state: StudyFolder) -> dict[str, list[Judgement]]:
    """Every verdict: on reported numbers, on conclusions."""
    sections = state.study.sections
    return {
        "reported numbers": [each for section in sections for each in judge_numbers(state, section)],
        "conclusions": [each for section in sections for each in judge_conclusions(state, section)],
    }


def _conclusions(studies: Sequence[StudyFolder]) -> Iterator[Section]:
    found = [each for state in studies for each in all_judgements(state)["conclusions"]]
    note = Text(
        "Each conclusion is tested on our own runs, with the same seeds on both sides: the mean of the "
        "paired differences with its 95 % interval."
    )
    table = _concluded("conclusions", "What was concluded, and whether it holds.", found)
    if found:
        yield Section("Conclusions", (note, table))


def _table(name: str, caption: str, rows: Iterable[Judgement]) -> Table:
    cells = tuple((each.of, each.quantity, each.reported, each.obtained, each.verdict) for each in rows)
    return Table(name, caption, HEADER, cells)


def _concluded(name: str, caption: str, rows: Iterable[Judgement]) -> Table:
    header = ("conclusion", "verdict", "what was compared", "obtained")
    cells = tuple(
        (each.of, each.verdict, f"{each.quantity}: {each.reported}", each.obtained) for each in rows
    )
    return Table(name, caption, header, cells)


def _blocks(state: StudyFolder, section: StudySection, beside: Path) -> Iterator[Block]:
    name = f"{state.record.asked.name}-{section.title}"
    if section.text:
        yield Text(section.text)
    if _has_work(section) and not _is_begun(state, section):
        yield Text("Nothing of this section has been run yet.", "note")
        return
    for check in section.gradcheck:
        yield _gradients(state, check, name)
    if section.experiments:
        yield from _experiments(state, section, name, beside)
    if section.search:
        yield from _search(state, section, name, beside)
    found = list(judge_conclusions(state, section))
    if found:
        yield _concluded(f"{name}-conclusions", f"{section.title}: conclusions.", found)


def _has_work(section: StudySection) -> bool:
    return bool(section.experiments or section.comparisons or section.gradcheck or section.search)


def _is_begun(state: StudyFolder, section: StudySection) -> bool:
    names = [experiment.name for experiment in section.experiments]
    names += [name for comparison in section.comparisons for name in comparison.of]
    trained = any(name in state.experiments for name in names)
    checked = any(state.differences(check.name) for check in section.gradcheck)
    return trained or checked or section.title in state.searches


def _gradients(state: StudyFolder, check: GradientCheck, name: str) -> Table:
    measure = "relative" if check.measure == "relative" else "||a − n||"
    verdict_of = {each.quantity: each for each in judge_gradients(check, state.differences(check.name))}
    rows: list[tuple[Cell, ...]] = []
    for difference in state.differences(check.name):
        found = verdict_of.pop(difference.name, None)
        numbers = (f"{difference.distance:.1e}", f"{difference.relative:.1e}", f"{difference.direction:.1e}")
        reported = ((found.reported if found else "-"),) if check.reported else ()
        rows.append((difference.name, *numbers, *reported, _of_gradient(check, found)))
    rows += [(n, "-", "-", "-", each.reported, each.verdict) for n, each in verdict_of.items()]
    columns = (f"reported, {measure}",) if check.reported else ()
    header = ("parameter", "||a − n||", "relative", "along directions", *columns, "verdict")
    caption = f"{check.name}: analytic (a) against numeric (n) gradients, float64."
    return Table(f"{name}-{check.name}", caption, header, tuple(rows))


def _of_gradient(check: GradientCheck, found: Judgement | None) -> Cell:
    if found:
        return found.verdict
    return "-" if check.mistake else Verdict("right", "good")


def _experiments(state: StudyFolder, section: StudySection, name: str, beside: Path) -> Iterator[Block]:
    trained = [each for each in section.experiments if each.name in state.experiments]
    accuracies = [row for each in trained for row in judge_accuracies(state, each)]
    if accuracies:
        yield _table(f"{name}-numbers", f"{section.title}: accuracies (fractions of the images).", accuracies)
    yield _results(state, section, name, beside)
    for experiment in section.experiments:
        yield from _experiment(state, section, experiment, name)


def _results(state: StudyFolder, section: StudySection, name: str, beside: Path) -> Table:
    """What came of each experiment, whether or not it was reported, with links to its runs and config."""
    rows = []
    for experiment in section.experiments:
        run = state.experiments.get(experiment.name)
        cells = _result(run) if run else ("0", "-", "-", "-", Verdict("not trained yet", "open"), "-")
        rows.append((experiment.name, *cells, *_links(run, beside)))
    columns = [f"{part} {quantity}" for part, quantity in SHOWN]
    header = ("experiment", "seeds", *columns, "state", "time", "runs", "config")
    return Table(
        f"{name}-runs", f"{section.title}: all runs, mean ± std over the seeds.", header, tuple(rows)
    )


def _links(run: Run | None, beside: Path) -> tuple[Cell, Cell]:
    if run is None:
        return "-", "-"
    target = os.path.relpath(run.folder.resolve(), beside.resolve())
    return Link("folder", target), Link("config", f"{target}/config.yaml")


def _result(run: Run) -> tuple[Cell, ...]:
    outcomes = run.outcomes()
    summary = summarise(outcomes)
    numbers = (format_mean_std(summary[part][quantity]) for part, quantity in SHOWN)
    seconds = sum(outcome.seconds for outcome in outcomes)
    return (str(len(outcomes)), *numbers, run_state(run), duration(seconds))


def run_state(run: Run) -> Verdict:
    """How the seeds ended: the worst, and how many of them."""
    outcomes = run.outcomes()
    if not outcomes:
        return Verdict("not trained yet", "open")
    for words, those in (
        ("diverged", [o for o in outcomes if o.status == "diverged"]),
        ("at chance level", [o for o in outcomes if o.at_chance]),
    ):
        if those:
            return Verdict(f"{len(those)} of {len(outcomes)} {words}", "bad")
    return Verdict("finished", "good")


def _experiment(
    state: StudyFolder, section: StudySection, experiment: Experiment, name: str
) -> Iterator[Block]:
    run = state.experiments.get(experiment.name)
    if run is None or not run.outcomes():
        return
    if experiment.note:
        yield Text(experiment.note)
    if section.curves and any(map(has_curves, run.seeds)):
        yield curves_picture(run, experiment.name, f"{name}-{experiment.name}")
    pulls = state.record.pulls.get(experiment.name, [])
    yield from failure_blocks(run, experiment.name, pulls, f"{name}-{experiment.name}")


def _search(state: StudyFolder, section: StudySection, name: str, beside: Path) -> Iterator[Block]:
    search = state.searches.get(section.title)
    if search is None or not search.trials():
        yield Text("The search was not begun yet.", "note")
        return
    found = list(judge_trials(state, section))
    if found:
        yield _table(f"{name}-numbers", f"{section.title}: reported trials against our nearest ones.", found)
    target = os.path.relpath(search.folder.resolve(), beside.resolve())
    yield from _side_by_side(search, section, name)
    yield from search_section(search, section.title, target).blocks


def _side_by_side(search: Search, section: StudySection, name: str) -> Iterator[Table]:
    """The best trials that were reported next to ours, as many, rank by rank."""
    assert section.search is not None
    rows: list[tuple[Cell, ...]] = []
    for stage in ("coarse", "fine"):
        theirs = sorted(getattr(section.search.reported, stage), key=lambda found: -(found.validation or 0))
        tables = summarise_search(search, max(1, len(theirs)))["tables"]
        trials = [entry for table in tables if table["of"].startswith(stage) for entry in table["top"]]
        ours = sorted(trials, key=lambda entry: -entry["validation_accuracy"])
        for rank, (found, entry) in enumerate(zip(theirs, ours, strict=False), 1):
            values = {key: float(entry[key]) for key in search.values[1]}
            numbers = (entry["train_accuracy"], entry["validation_accuracy"])
            reported = (format_values(found.values), *map(_or_dash, (found.train, found.validation)))
            rows.append((f"{stage} {rank}", *reported, format_values(values), *map(_or_dash, numbers)))
    if rows:
        header = ("rank", "reported", "train", "validation", "ours", "train", "validation")
        caption = f"{section.title}: the best trials by validation accuracy, as reported and ours."
        yield Table(f"{name}-ranks", caption, header, tuple(rows))


def _or_dash(number: float | None) -> str:
    return "-" if number is None else format_number(number)


def _rules() -> Section:
    return Section("The rules of the verdicts", tuple(Text(rule) for rule in rules.RULES))


def _made(studies: Sequence[StudyFolder], beside: Path) -> Iterator[Section]:
    blocks: list[Block] = []
    for state in studies:
        name, record = state.record.asked.name, state.record
        blocks += [_time(state, beside)]
        if record.command:
            blocks += [Text("The command:"), Text(shlex.join(record.command), "command")]
        environment = next(map(read_environment, _folders(state)), None)
        blocks += [b for b in origin_blocks(environment, name) if isinstance(b, Table)]
    yield Section("How it was made", tuple(blocks))


def _folders(state: StudyFolder) -> Iterator[Path]:
    for run in state.experiments.values():
        yield from (seed.folder for seed in run.seeds if seed.outcome)
    for search in state.searches.values():
        yield search.folder


def _time(state: StudyFolder, beside: Path) -> Table:
    """Where the time went, by section."""
    rows: list[tuple[Cell, ...]] = []
    for section in state.study.sections:
        runs = [state.experiments[e.name] for e in section.experiments if e.name in state.experiments]
        outcomes = [outcome for run in runs for outcome in run.outcomes()]
        seconds = sum(outcome.seconds for outcome in outcomes)
        steps = sum(outcome.steps for outcome in outcomes)
        if section.search and section.title in state.searches:
            trials = state.searches[section.title].trials()
            seconds += sum(trial.seconds for trial in trials if trial.seconds == trial.seconds)
            outcomes += trials  # type: ignore[arg-type]
        if outcomes:
            rows.append((section.title, str(len(outcomes)), str(steps or "-"), duration(seconds)))
    total = duration(state.record.seconds)
    jobs = f"{state.record.jobs} side by side"
    caption = f"{state.study.title}: time of the trainings, each by itself; {total} in all, {jobs}."
    return Table(
        f"{state.record.asked.name}-time", caption, ("section", "trainings", "steps", "time"), tuple(rows)
    )
