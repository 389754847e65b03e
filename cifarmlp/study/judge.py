"""Each number and each conclusion of a study next to what came of it, with a verdict."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cifarmlp.config import Config
from cifarmlp.nn.gradcheck import Difference
from cifarmlp.render.document import Verdict
from cifarmlp.runs.folder import Run
from cifarmlp.search.folder import Search
from cifarmlp.search.ranking import NOISE, Trial, rank
from cifarmlp.stats import chance_limit, format_mean_std, mean_interval
from cifarmlp.stats import mean_and_std as statistics
from cifarmlp.study import rules
from cifarmlp.study.folder import StudyFolder
from cifarmlp.study.schema import Claim, Experiment, Found, GradientCheck, StudySection
from cifarmlp.training.gradcheck import LIMIT
from cifarmlp.training.outcome import PARTS, Outcome

RIGHT = {"relative": 1e-5, "distance": 1e-3}
NEAREST = 5


@dataclass(frozen=True)
class Judgement:
    """A number, or a conclusion: of what, what was reported, what came of it, and the verdict."""

    of: str
    quantity: str
    reported: str
    obtained: str
    verdict: Verdict


def judge_numbers(state: StudyFolder, section: StudySection) -> Iterator[Judgement]:
    """The verdicts on a section's reported numbers, of what has ended."""
    for check in section.gradcheck:
        if check.mistake is None:
            yield from judge_gradients(check, state.differences(check.name))
    for experiment in section.experiments:
        if experiment.name in state.experiments:
            yield from judge_accuracies(state, experiment)
    if section.search and section.title in state.searches:
        yield from judge_trials(state, section)


def judge_gradients(check: GradientCheck, differences: Sequence[Difference]) -> Iterator[Judgement]:
    """A row for each number that was published."""
    ours = {difference.name: difference for difference in differences}
    for name, reported in check.reported.items() if ours else ():
        if name not in ours:
            words = Verdict("no such parameter here", "open")
            yield Judgement(check.name, name, f"{reported:.2g}", "-", words)
            continue
        obtained = ours[name].relative if check.measure == "relative" else ours[name].distance
        right = RIGHT[check.measure]
        verdict = (
            rules.of_mistake(reported, obtained, right)
            if check.mistake
            else rules.of_gradient(reported, ours[name].worst, right, LIMIT)
        )
        yield Judgement(check.name, name, f"{reported:.2g}", f"{obtained:.1e}", verdict)


def judge_accuracies(state: StudyFolder, experiment: Experiment) -> Iterator[Judgement]:
    """A row for each accuracy, each standard deviation, and whether the loss stayed finite."""
    outcomes, reported = state.experiments[experiment.name].outcomes(), experiment.reported
    if not outcomes:
        return
    for part, number, std in zip(PARTS, reported.accuracy, reported.std, strict=True):
        ours = [outcome.metric(part, "accuracy") for outcome in outcomes]
        if number is not None:
            told = f"{number:.4f}" if std is None else f"{number:.4f} ± {std:.4f} (n = {reported.n})"
            verdict = _of_accuracy(state, experiment, part, outcomes)
            yield Judgement(experiment.name, f"{part} accuracy", told, format_values_mean_std(ours), verdict)
        if std is not None:
            verdict = rules.of_std(std, reported.n, ours)
            obtained = f"{np.std(ours, ddof=1):.4f}" if len(ours) > 1 else "-"
            yield Judgement(experiment.name, f"std of {part} accuracy", f"{std:.4f}", obtained, verdict)
    if reported.status is not None:
        statuses = [outcome.status for outcome in outcomes]
        words = {"diverged": "the loss is NaN", "finished": "the loss is finite"}
        verdict = rules.of_status(reported.status, statuses)
        finite = sum(status == "finished" for status in statuses)
        obtained = f"finite with {finite} of {len(statuses)} seeds"
        yield Judgement(experiment.name, "loss", words[reported.status], obtained, verdict)


def _of_accuracy(state: StudyFolder, experiment: Experiment, part: str, outcomes: list[Outcome]) -> Verdict:
    reported, place = experiment.reported, PARTS.index(part)
    number, std = reported.accuracy[place], reported.std[place]
    assert number is not None
    diverged = sum(outcome.status == "diverged" for outcome in outcomes)
    if diverged:
        return Verdict(f"{diverged} of {len(outcomes)} seeds of ours diverged", "bad")
    ours = [outcome.metric(part, "accuracy") for outcome in outcomes]
    config = state.experiments[experiment.name].config
    stuck = [is_stuck(outcome, config) for outcome in outcomes]
    at_chance = rules.of_chance(stuck, number <= chance_level(part, config))
    if at_chance:
        return at_chance
    return rules.of_one(number, ours) if std is None else rules.of_mean(number, std, reported.n, ours)


def is_stuck(outcome: Outcome, config: Config) -> bool:
    """Whether a training stayed at chance level: never left it, or isn't above it on the test images."""
    return outcome.at_chance or outcome.metric("test", "accuracy") <= chance_level("test", config)


def chance_level(part: str, config: Config) -> float:
    """The accuracy below which a part's isn't told from always naming one of ten classes: by three standard
    errors, p + 3 sqrt(p (1 - p) / n), p = 0.1.
    """
    images = (config.data.training_images, config.data.validation_images, 10_000)
    n = dict(zip(PARTS, images, strict=True))[part]
    return chance_limit(0.1, n)


def format_values_mean_std(values: Sequence[float]) -> str:
    """Such as `0.5312 ± 0.0031 (n = 3)`."""
    known = [value for value in values if math.isfinite(value)]
    return f"{format_mean_std(statistics(known))} (n = {len(known)})" if known else "-"


def judge_trials(state: StudyFolder, section: StudySection) -> Iterator[Judgement]:
    """A row for each accuracy of a reported trial, judged by our trials near it, and for the best setting."""
    search, reported = state.searches[section.title], section.search.reported if section.search else None
    best_first = rank(search.trials())
    if not best_first or reported is None:
        return
    for stage, found in [*(("coarse", f) for f in reported.coarse), *(("fine", f) for f in reported.fine)]:
        yield from _trial(search, stage, found, best_first)
    if reported.best:
        near = [trial.validation_accuracy for trial in nearest_trials(search, best_first, reported.best)]
        noise = NOISE / math.sqrt(search.config.data.validation_images)
        verdict = rules.of_setting(best_first[0].validation_accuracy, near, noise)
        ours = format_values({key: float(value) for key, value in search.values(best_first[0].trial).items()})
        yield Judgement("best setting", "values", format_values(reported.best), ours, verdict)


def _trial(search: Search, stage: str, found: Found, trials: Sequence[Trial]) -> Iterator[Judgement]:
    near = nearest_trials(search, trials, found.values)
    for part, number in (("train", found.train), ("validation", found.validation)):
        if number is not None:
            ours = [getattr(trial, f"{part}_accuracy") for trial in near]
            what, verdict = f"{stage}: {format_values(found.values)}", rules.of_one(number, ours)
            yield Judgement(what, f"{part} accuracy", f"{number:.4f}", format_values_mean_std(ours), verdict)


def nearest_trials(search: Search, trials: Sequence[Trial], values: dict[str, float]) -> list[Trial]:
    """The NEAREST trials to these values, by the distance of what was drawn: logarithms where it was so."""
    section = search.config.search
    assert section is not None

    def distance(trial: Trial) -> float:
        total = 0.0
        for key, value in values.items():
            draw, ours = section.coarse.space.get(key), float(search.values(trial.trial).get(key, math.nan))
            is_log = draw is not None and draw.log_uniform is not None
            total += (math.log(ours / value) if is_log else ours - value) ** 2
        return total

    return sorted(trials, key=distance)[:NEAREST]


def format_values(values: dict[str, float]) -> str:
    """Such as `lambda 0.00355`."""
    return ", ".join(f"{key.rpartition('.')[2]} {value:.3g}" for key, value in values.items())


def judge_conclusions(state: StudyFolder, section: StudySection) -> Iterator[Judgement]:
    """The verdicts on a section's conclusions, of those whose experiments have ended."""
    for comparison in section.comparisons:
        runs = [state.experiments.get(name) for name in comparison.of]
        if all(run and run.outcomes() for run in runs):
            yield judge_conclusion(comparison, *(run for run in runs if run))


def judge_conclusion(comparison: Claim, *runs: Run) -> Judgement:
    """The first experiment's outcomes against the second one's."""
    first, second = (run.outcomes() for run in runs)
    short = [name.partition(":")[0] for name in comparison.of]
    if comparison.expected == "only the first trains":
        trained = [[_trains(outcome, run.config) for outcome in run.outcomes()] for run in runs]
        told = (f"{sum(each)} of {len(each)}" for each in trained)
        obtained = "{} seeds train, against {}".format(*told)
        verdict = rules.of_training(*trained)
        return Judgement(comparison.claim, " and ".join(short), comparison.expected, obtained, verdict)
    part, _, quantity = comparison.quantity.partition(" ")
    before = {outcome.seed: outcome.metric(part, quantity) for outcome in second}
    pairs = [o.metric(part, quantity) - before[o.seed] for o in first if o.seed in before]
    known = [difference for difference in pairs if math.isfinite(difference)]
    mean, low, high = mean_interval(known)
    interval = f" [{low:+.4f}, {high:+.4f}]" if len(known) > 1 else ""
    obtained = f"{mean:+.4f}{interval} (n = {len(known)})" if known else "-"
    verdict = rules.of_difference(known, comparison.expected)
    if not pairs:
        verdict = Verdict("they have no seed in common", "open")
    return Judgement(
        comparison.claim,
        f"{comparison.quantity}, {' minus '.join(short)}",
        comparison.expected,
        obtained,
        verdict,
    )


def _trains(outcome: Outcome, config: Config) -> bool:
    return outcome.status == "finished" and not is_stuck(outcome, config)
