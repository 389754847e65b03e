"""Coarse and fine search for good values of a config's fields, on all cores or on a cluster.

Trial i's values depend on the config and i alone; the trials that may are trained in lockstep. What is done
is kept in the search's folder as it comes, and a search that was cut short goes on from there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cifarmlp import earlier, populations, ranking, runs, sampling, search_folder, search_summary
from cifarmlp.config import Config, override_with
from cifarmlp.course import Course
from cifarmlp.data import load
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError
from cifarmlp.experiment import train_together
from cifarmlp.interrupts import watch_signals
from cifarmlp.memory import free_memory
from cifarmlp.outcome import Outcome
from cifarmlp.populations import Member
from cifarmlp.ranking import Result, Trial
from cifarmlp.sampling import Values
from cifarmlp.search_folder import NOWHERE, Plan, Search, Stage
from cifarmlp.workers import Lost, map_unordered

MOST_TRIALS = 10_000  # of a stage; each is checked before the first is trained


@dataclass(frozen=True)
class Task:
    """A population to train, as a worker gets it."""

    members: tuple[Member, ...]
    data_dir: Path | None


def train_task(task: Task) -> list[Outcome]:
    """A worker's whole job: one outcome a member, or none where it was interrupted."""
    configs = [member.config for member in task.members]
    dataset = load(configs[0].data.source, task.data_dir, download=True)
    stop = watch_signals()
    return train_together(configs, dataset, lambda: bool(stop()))


Watch = Callable[[Course, list[Trial]], None]


def prepare(
    config: Config,
    stages: Sequence[Stage],
    seeds: int,
    cores: int,
    earlier_in: Path,
    coarse_from: Path | None = None,
) -> Search:
    """A search with no folder yet; no stages: all that the config has.

    A fine one alone takes the coarse trials over from `coarse_from`, or from the newest in `earlier_in`.
    Raises ConfigError where there is none, the config has no such stage, or a trial's values make no config.
    """
    section = config.search
    if section is None:
        raise ConfigError(f"{config.name} has no section `search` that says which fields to draw, and how")
    if max(section.coarse.trials, section.fine.trials if section.fine else 0) > MOST_TRIALS:
        raise ConfigError(
            f"{config.name}: a stage of its search has more than {MOST_TRIALS} trials; give fewer"
        )
    if "fine" in stages and section.fine is None:
        raise ConfigError(f"{config.name} has no search.fine; add it, or search with --coarse")
    stages = stages or (["coarse", "fine"] if section.fine else ["coarse"])
    coarse = earlier.to_refine(config, earlier_in, coarse_from) if stages == ["fine"] else None
    plan = Plan(
        stages=[*stages],
        seeds=seeds,
        cores=cores,
        memory=free_memory(),
        coarse_from=str(coarse.folder) if coarse else None,
    )
    search = Search(NOWHERE, config, plan)
    if coarse:
        _take_over(search, coarse)
        _begin_fine(search)
    _begin_coarse(search)
    members(search, stages[0])
    return search


def _take_over(search: Search, coarse: Search) -> None:
    """Begin with the trials of a coarse search, whatever their number."""
    there, here = coarse.config.search, search.config.search
    assert there is not None
    assert here is not None
    if search.plan.seeds > coarse.plan.seeds:
        told = f"{coarse.folder} has {coarse.plan.seeds} for each of its coarse trials"
        raise ConfigError(f"--seeds {search.plan.seeds}: {told}; give no more, or search with --coarse first")
    section = here.model_copy(update={"coarse": there.coarse})
    search.config = search.config.model_copy(update={"search": section})
    _begin_coarse(search)
    search.results = {key: result for key, result in coarse.results.items() if key[0] in search.values}


def resumed(folder: Path, config: Config | None, stages: Sequence[Stage], seeds: int | None) -> Search:
    """The search in a folder, to go on with; see `earlier.to_resume` for what it checks and raises."""
    search = earlier.to_resume(folder, config, stages, seeds)
    _begin_coarse(search)
    if "fine" in search.plan.stages and not to_train(search, "coarse"):
        _begin_fine(search)
    return search


def read(folder: Path) -> Search:
    """A search as it was left, with the values of its trials. Raises RunFolderError."""
    try:
        return resumed(folder, None, [], None)
    except RunFolderError:
        raise
    except CifarmlpError as error:
        raise RunFolderError(f"{folder}: damaged ({str(error).splitlines()[0]})") from error


def _begin_coarse(search: Search) -> None:
    assert search.config.search is not None
    coarse = search.config.search.coarse
    numbers = range(1, coarse.trials + 1)
    search.coarse = coarse.trials
    search.values |= {i: sampling.coarse_values(coarse, search.config.seed, i) for i in numbers}


def _begin_fine(search: Search) -> None:
    section, seed = search.config.search, search.config.seed
    assert section is not None
    assert section.fine is not None
    centres = search.plan.centres or _centres(search)[: section.fine.centres]
    search.plan = search.plan.model_copy(update={"centres": centres})  # for good, whatever is trained again
    numbers = range(1, sampling.fine_trials(section.fine, len(centres)) + 1)
    search.values |= {search.coarse + i: sampling.fine_values(section, seed, i, centres) for i in numbers}


def _centres(search: Search) -> list[Values]:
    """The values of the coarse trials that finished, best first."""
    best = ranking.ranked([t for t in search.trials() if search.stage(t.trial) == "coarse"])
    if not best:
        raise CifarmlpError("no coarse trial has finished: there is nothing to refine; see trials.csv")
    return [search.values[trial.trial] for trial in best]


def members(search: Search, stage: Stage) -> list[Member]:
    """Every training of a stage. Raises ConfigError where a trial's values make no config."""
    base = search.config.model_copy(update={"search": None})
    trials = {i: values for i, values in search.values.items() if search.stage(i) == stage}
    return [
        Member(trial, _config_of(base, trial, values, n))
        for n in range(search.plan.seeds)
        for trial, values in trials.items()
    ]


def _config_of(base: Config, trial: int, values: Values, n: int) -> Config:
    try:
        return override_with(base, {**values, "seed": values.get("seed", base.seed) + n})
    except ConfigError as error:
        raise ConfigError(f"trial {trial}: {str(error).splitlines()[0]}") from error


def arranged(search: Search, stage: Stage) -> list[list[Member]]:
    """The populations of a stage, whether trained already or not."""
    return populations.arrange(members(search, stage), search.plan.cores, search.plan.memory)


def to_train(search: Search, stage: Stage) -> list[list[Member]]:
    """The populations of a stage of which a member has no result, or one that failed."""

    def done(member: Member) -> bool:
        result = search.results.get((member.trial, member.config.seed))
        return result is not None and result.status != "failed"

    return [p for p in arranged(search, stage) if not all(done(member) for member in p)]


def planned(search: Search, stage: Stage) -> tuple[list[list[Member]], int]:
    """What is to be trained in a stage, and its number of trials.

    For the trials of a fine stage whose centres aren't known yet, coarse ones stand in.
    """
    known = [trial for trial in search.values if search.stage(trial) == stage]
    if known:
        return to_train(search, stage), len(known)
    section = search.config.search
    assert section is not None
    assert section.fine is not None
    trials, coarse = sampling.fine_trials(section.fine), members(search, "coarse")
    stand_ins = [coarse[i % len(coarse)] for i in range(trials * search.plan.seeds)]
    return populations.arrange(stand_ins, search.plan.cores, search.plan.memory), trials


def run(
    search: Search,
    out: Path,
    data_dir: Path | None,
    *,
    jobs: int,
    top: int = 3,
    cluster: Any = None,
    stop: Callable[[], int] = lambda: 0,
    watch: Watch = lambda course, ended: None,
) -> dict[str, Any]:
    """Train what is to be trained; returns what top.json holds. `watch` sees what happens.

    A search without a folder gets one in `out`. Raises DataError before that; RunFolderError where another
    process is at work in the folder or it can't be written.
    """
    dataset = load(search.config.data.source, data_dir, download=True)
    if search.folder == NOWHERE:
        search_folder.claim(search, out, dataset)
    with runs.own(search.folder):
        for stage in search.plan.stages:
            if not stop() and _begin(search, stage):
                _run_stage(search, stage, data_dir, jobs, cluster, stop, watch)
        search_folder.write_plan(search, "interrupted" if stop() else "finished")
        return search_summary.write_summary(search, top)


def _begin(search: Search, stage: Stage) -> bool:
    """Make ready for a stage; whether there is anything to search: not where all coarse trials diverged."""
    _begin_coarse(search)
    if stage == "fine":
        if not search.plan.centres and not ranking.ranked(search.trials()):
            return False
        _begin_fine(search)
    search_folder.write_results(search)
    search_folder.write_plan(search, "running")
    return True


def _run_stage(
    search: Search,
    stage: Stage,
    data_dir: Path | None,
    jobs: int,
    cluster: Any,
    stop: Callable[[], int],
    watch: Watch,
) -> None:
    course = Course(search, stage, to_train(search, stage), jobs)
    watch(course, [])
    tasks = [Task(tuple(population), data_dir) for population in course.todo]
    ended = map_unordered(train_task, tasks, jobs, cluster=cluster, stop=stop, tick=lambda: watch(course, []))
    for task, outcomes in ended:
        results = _failed(task, outcomes) if isinstance(outcomes, Lost) else _results(task, outcomes)
        search.results |= {(result.trial, result.seed): result for result in results}
        search_folder.write_results(search)
        course.ended(results)
        numbers = {result.trial for result in results}
        watch(course, [trial for trial in search.trials() if trial.trial in numbers])


def _results(task: Task, outcomes: Sequence[Outcome]) -> list[Result]:
    return [
        Result(
            member.trial,
            outcome.seed,
            outcome.status,
            outcome.metrics["train"]["accuracy"],
            outcome.metrics["validation"]["accuracy"],
            outcome.metrics["validation"]["loss"],
            outcome.seconds,
        )
        for member, outcome in zip(task.members, outcomes, strict=False)  # none where it was interrupted
    ]


def _failed(task: Task, lost: Lost) -> list[Result]:
    return [Result(m.trial, m.config.seed, "failed", reason=lost.reason) for m in task.members]
