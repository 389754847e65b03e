"""Judge each number and each conclusion of a study by what our own runs came to."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from cifarmlp.config import Config
from cifarmlp.nn.gradcheck import Difference
from cifarmlp.render.document import Verdict
from cifarmlp.runs.comparison import origin_changes
from cifarmlp.runs.folder import Run
from cifarmlp.search.folder import Search
from cifarmlp.search.ranking import Trial, rank
from cifarmlp.stats import (
    accuracy_error,
    chance_limit,
    format_mean_std,
    mean_and_std,
    mean_interval,
    standard_error,
)
from cifarmlp.study import rules
from cifarmlp.study.folder import StudyFolder
from cifarmlp.study.schema import Claim, Experiment, GradientCheck, ReportedTrial, StudySection
from cifarmlp.training.gradcheck import LIMIT
from cifarmlp.training.outcome import PARTS, Outcome

RIGHT = {"relative": 1e-5, "distance": 1e-3}  # a published difference of a correct gradient is smaller
NEAREST = 5
NAMES = {"f1": "macro F1"}


@dataclass(frozen=True)
class Judgement:
    """A number or a conclusion: what it is of, as reported, as obtained by us, and the verdict.

    numbers: those in the texts, by name: `reported` with its `reported_std` and `reported_n`, and of ours
    `obtained` or `mean`, `std`, `n`, and for a difference `low` and `high`.
    """

    of: str
    quantity: str
    reported: str
    obtained: str
    verdict: Verdict
    numbers: Mapping[str, float] = field(default_factory=dict, compare=False)


def judge_numbers(state: StudyFolder, section: StudySection) -> Iterator[Judgement]:
    """Judge the reported numbers of a section, as far as it has been carried out."""
    for check in section.gradcheck:
        if check.mistake is None:
            yield from judge_gradients(check, state.differences(check.name))
    for experiment in section.experiments:
        if experiment.name in state.experiments:
            yield from judge_outcome(state, experiment)
    if section.search and section.title in state.searches:
        yield from judge_trials(state, section)


def judge_gradients(check: GradientCheck, differences: Sequence[Difference]) -> Iterator[Judgement]:
    """Judge each published difference of a gradient check."""
    ours = {difference.name: difference for difference in differences}
    for name, reported in check.reported.items() if ours else ():
        if name in ours:
            yield _judge_gradient(check, reported, ours[name])
        else:
            verdict = Verdict("no such parameter here", "open")
            yield Judgement(check.name, name, f"{reported:.2g}", "-", verdict, {"reported": reported})


def _judge_gradient(check: GradientCheck, reported: float, ours: Difference) -> Judgement:
    obtained = ours.relative if check.measure == "relative" else ours.distance
    right = RIGHT[check.measure]
    if check.mistake:
        verdict = rules.of_mistake(reported, obtained, right)
    else:
        verdict = rules.of_gradient(reported, ours.worst, right, LIMIT)
    numbers = {"reported": reported, "obtained": obtained}
    return Judgement(check.name, ours.name, f"{reported:.2g}", f"{obtained:.1e}", verdict, numbers)


def judge_outcome(state: StudyFolder, experiment: Experiment) -> Iterator[Judgement]:
    """Judge each number of an experiment, each standard deviation, and whether the loss stayed finite."""
    run, reported = state.experiments[experiment.name], experiment.reported
    if not run.outcomes():
        return
    for part, number, std in zip(PARTS, reported.accuracy, reported.std, strict=True):
        if number is not None:
            yield _judge_number(run, experiment, (part, "accuracy"), number, std)
        if std is not None:
            yield _judge_std(run, experiment, part, std)
    for part, number in zip(PARTS, reported.loss, strict=True):
        if number is not None:
            yield _judge_number(run, experiment, (part, "loss"), number)
    if reported.f1 is not None:
        yield _judge_number(run, experiment, ("test", "f1"), reported.f1)
    if reported.status is not None:
        yield _judge_status(run, experiment, reported.status)


def _judge_number(
    run: Run, experiment: Experiment, of: tuple[str, str], number: float, std: float | None = None
) -> Judgement:
    """Judge a number of a part and quantity, one run's or, with std, a mean."""
    (part, quantity), n = of, experiment.reported.n
    ours = [outcome.metrics.get(part, {}).get(quantity, math.nan) for outcome in run.outcomes()]
    is_loss = quantity == "loss"
    verdict = _failure(run, part, math.inf if is_loss else number)
    if verdict is None:
        floor = 0.0 if is_loss else _floor(part, run.config, ours)
        if std is None:
            verdict = rules.of_one(number, ours, floor)
        else:
            verdict = rules.of_mean(number, std, n, ours, floor)
    if verdict.tone == "open" and not any(map(math.isfinite, ours)):
        verdict = Verdict("not measured here", "open")
    reported = f"{number:.4f}" if std is None else f"{number:.4f} ± {std:.4f} (n = {n})"
    name = f"{part} {NAMES.get(quantity, quantity)}"
    numbers = {"reported": number, **({} if std is None else {"reported_std": std, "reported_n": n})}
    numbers |= mean_and_std(_known(ours))
    return Judgement(experiment.name, name, reported, format_values_mean_std(ours), verdict, numbers)


def _floor(part: str, config: Config, ours: Sequence[float]) -> float:
    """Return the standard error of an accuracy as ours, by the number of images alone."""
    p, images = float(np.mean(ours)), images_of(part, config)
    return standard_error(p, images) if images and 0 <= p <= 1 else 0.0


def _failure(run: Run, part: str, number: float) -> Verdict | None:
    """Return the verdict if some of our seeds, or the report's run, did not train; else None.

    number: accuracy of the report's run, or inf if that is not known.
    """
    outcomes = run.outcomes()
    diverged = sum(outcome.status == "diverged" for outcome in outcomes)
    if diverged:
        return Verdict(f"{diverged} of our {len(outcomes)} seeds diverged", "bad")
    stuck = [is_stuck(outcome, run.config) for outcome in outcomes]
    return rules.of_chance(stuck, number <= chance_level(part, run.config))


def _judge_std(run: Run, experiment: Experiment, part: str, std: float) -> Judgement:
    ours = [outcome.metric(part, "accuracy") for outcome in run.outcomes()]
    obtained = f"{np.std(ours, ddof=1):.4f}" if len(ours) > 1 else "-"
    verdict = rules.of_std(std, experiment.reported.n, ours)
    numbers = {"reported": std, "reported_n": experiment.reported.n, **mean_and_std(_known(ours))}
    return Judgement(experiment.name, f"std of {part} accuracy", f"{std:.4f}", obtained, verdict, numbers)


def _judge_status(run: Run, experiment: Experiment, reported: str) -> Judgement:
    statuses = [outcome.status for outcome in run.outcomes()]
    words = {"diverged": "the loss is NaN", "finished": "the loss is finite"}
    obtained = f"finite with {statuses.count('finished')} of {len(statuses)} seeds"
    verdict = rules.of_status(reported, statuses)
    return Judgement(experiment.name, "loss", words[reported], obtained, verdict)


def is_stuck(outcome: Outcome, config: Config) -> bool:
    """Return whether a training never left chance level, or is not above it on the test images."""
    return outcome.at_chance or outcome.metric("test", "accuracy") <= chance_level("test", config)


def chance_level(part: str, config: Config) -> float:
    """Return the accuracy on the images of a part up to which a network is at chance level.

    Three standard errors above p = 0.1, that of always naming one of ten classes; see `stats.chance_limit`.
    """
    return chance_limit(0.1, max(1, images_of(part, config)))


def images_of(part: str, config: Config) -> int:
    """Return the number of images of a part."""
    data = config.data
    images = (data.training_images, data.validation_images, data.test_images or 10_000)
    return dict(zip(PARTS, images, strict=True))[part]


def format_values_mean_std(values: Sequence[float]) -> str:
    """Return mean, standard deviation and number of the finite values as text.

    >>> format_values_mean_std([0.53, 0.54, math.nan])
    '0.5350 ± 0.0071 (n = 2)'
    """
    known = _known(values)
    return f"{format_mean_std(mean_and_std(known))} (n = {len(known)})" if known else "-"


def _known(values: Sequence[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def judge_trials(state: StudyFolder, section: StudySection) -> Iterator[Judgement]:
    """Judge each accuracy of a reported trial by our trials near it, and the reported best setting."""
    search, reported = state.searches[section.title], section.search.reported if section.search else None
    best_first = rank(search.trials())
    if not best_first or reported is None:
        return
    for stage, trials in (("coarse", reported.coarse), ("fine", reported.fine)):
        for trial in trials:
            yield from _judge_trial(search, stage, trial, best_first)
    if reported.best:
        yield _judge_setting(search, reported.best, best_first)


def _judge_trial(
    search: Search, stage: str, reported: ReportedTrial, trials: Sequence[Trial]
) -> Iterator[Judgement]:
    near = nearest_trials(search, trials, reported.values)
    name = f"{stage}: {format_values(reported.values)}"
    for part, number in (("train", reported.train), ("validation", reported.validation)):
        if number is not None:
            ours = [getattr(trial, f"{part}_accuracy") for trial in near]
            verdict = rules.of_one(number, ours, _floor(part, search.config, ours))
            obtained = format_values_mean_std(ours)
            numbers = {"reported": number, **mean_and_std(_known(ours))}
            yield Judgement(name, f"{part} accuracy", f"{number:.4f}", obtained, verdict, numbers)


def _judge_setting(search: Search, reported: dict[str, float], best_first: Sequence[Trial]) -> Judgement:
    best = best_first[0]
    near = [trial.validation_accuracy for trial in nearest_trials(search, best_first, reported)]
    noise = accuracy_error(search.config.data.validation_images)
    verdict = rules.of_setting(best.validation_accuracy, near, noise)
    obtained = format_values({key: float(value) for key, value in search.values(best.trial).items()})
    return Judgement("best setting", "values", format_values(reported), obtained, verdict)


def nearest_trials(search: Search, trials: Sequence[Trial], values: dict[str, float]) -> list[Trial]:
    """Return the NEAREST trials to these values, nearest first.

    Euclidean distance over the searched fields, of logarithms for those drawn log-uniformly.
    """
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
    """Return values of config fields as text.

    >>> format_values({"training.lambda": 0.003548, "training.schedule.eta_max": 0.1})
    'lambda 0.00355, eta_max 0.1'
    """
    return ", ".join(f"{key.rpartition('.')[2]} {value:.3g}" for key, value in values.items())


def judge_conclusions(state: StudyFolder, section: StudySection) -> Iterator[Judgement]:
    """Judge the conclusions of a section whose experiments both have outcomes."""
    for claim in section.comparisons:
        first, second = (state.experiments.get(name) for name in claim.of)
        if first and second and first.outcomes() and second.outcomes():
            judge = judge_training if claim.expected == "only the first trains" else judge_difference
            yield judge(claim, first, second)


def judge_training(claim: Claim, first: Run, second: Run) -> Judgement:
    """Judge the conclusion that only the first of two experiments trains."""
    ours, others = ([_trains(outcome, run.config) for outcome in run.outcomes()] for run in (first, second))
    obtained = f"{sum(ours)} of {len(ours)} seeds train, against {sum(others)} of {len(others)}"
    names = " and ".join(_short_names(claim))
    return Judgement(claim.claim, names, claim.expected, obtained, rules.of_training(ours, others))


def judge_difference(claim: Claim, first: Run, second: Run) -> Judgement:
    """Judge a conclusion about first minus second, over the seeds that both have."""
    part, _, quantity = claim.quantity.partition(" ")
    values = {outcome.seed: outcome.metric(part, quantity) for outcome in second.outcomes()}
    pairs = [o.metric(part, quantity) - values[o.seed] for o in first.outcomes() if o.seed in values]
    known = _known(pairs)
    mean, low, high = mean_interval(known)
    interval = f" [{low:+.4f}, {high:+.4f}]" if len(known) > 1 else ""
    obtained = f"{mean:+.4f}{interval} (n = {len(known)})" if known else "-"
    verdict = rules.of_difference(known, claim.expected) if pairs else Verdict("no seed in common", "open")
    numbers = {"mean": mean, "low": low, "high": high, "n": len(known)}
    if origin_changes(first, second).images:
        numbers = {}
        obtained, verdict = "-", Verdict("trained on different images: no difference is taken", "open")
    what = f"{claim.quantity}, {' minus '.join(_short_names(claim))}"
    return Judgement(claim.claim, what, claim.expected, obtained, verdict, numbers)


def _short_names(claim: Claim) -> list[str]:
    return [name.partition(":")[0] for name in claim.of]


def _trains(outcome: Outcome, config: Config) -> bool:
    return outcome.status == "finished" and not is_stuck(outcome, config)
