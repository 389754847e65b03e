"""Coarse and fine search for good values of a config's fields, on all cores or on a cluster.

Trial i's values depend on the config and i alone; the trials that may are trained in lockstep. What is done
is kept in the search's folder as it comes, and a search that was cut short goes on from there.
"""

from collections.abc import Sequence
from pathlib import Path

from cifarmlp import files
from cifarmlp.config import Config, differences, override_with, refuse_other_config
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError
from cifarmlp.search import ranking, sampling
from cifarmlp.search.folder import NOWHERE, Search, SearchPlan, Stage, read_search
from cifarmlp.search.populations import Member, group_into_populations
from cifarmlp.search.sampling import Values
from cifarmlp.training.cost import free_memory

MOST_TRIALS = 10_000  # of a stage; each is checked before the first is trained


def prepare_search(
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
    coarse = search_to_refine(config, earlier_in, coarse_from) if stages == ["fine"] else None
    plan = SearchPlan(
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
    members_of(search, stages[0])
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


def resume_search(folder: Path, config: Config | None, stages: Sequence[Stage], seeds: int | None) -> Search:
    """The search in a folder, to go on with; see `earlier.to_resume` for what it checks and raises."""
    search = search_to_resume(folder, config, stages, seeds)
    _begin_coarse(search)
    if "fine" in search.plan.stages and not populations_to_train(search, "coarse"):
        _begin_fine(search)
    return search


def load_search(folder: Path) -> Search:
    """A search as it was left, with the values of its trials. Raises RunFolderError."""
    try:
        return resume_search(folder, None, [], None)
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
    best = ranking.rank([t for t in search.trials() if search.stage(t.trial) == "coarse"])
    if not best:
        raise CifarmlpError("no coarse trial has finished: there is nothing to refine; see trials.csv")
    return [search.values[trial.trial] for trial in best]


def members_of(search: Search, stage: Stage) -> list[Member]:
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


def populations_of(search: Search, stage: Stage) -> list[list[Member]]:
    """The populations of a stage, whether trained already or not."""
    return group_into_populations(members_of(search, stage), search.plan.cores, search.plan.memory)


def populations_to_train(search: Search, stage: Stage) -> list[list[Member]]:
    """The populations of a stage of which a member has no result, or one that failed."""

    def done(member: Member) -> bool:
        result = search.results.get((member.trial, member.config.seed))
        return result is not None and result.status != "failed"

    return [p for p in populations_of(search, stage) if not all(done(member) for member in p)]


def count_planned(search: Search, stage: Stage) -> tuple[list[list[Member]], int]:
    """What is to be trained in a stage, and its number of trials.

    For the trials of a fine stage whose centres aren't known yet, coarse ones stand in.
    """
    known = [trial for trial in search.values if search.stage(trial) == stage]
    if known:
        return populations_to_train(search, stage), len(known)
    section = search.config.search
    assert section is not None
    assert section.fine is not None
    trials, coarse = sampling.fine_trials(section.fine), members_of(search, "coarse")
    stand_ins = [coarse[i % len(coarse)] for i in range(trials * search.plan.seeds)]
    return group_into_populations(stand_ins, search.plan.cores, search.plan.memory), trials


FREE = ("name", "search.fine", "search.coarse.trials")  # what a refined coarse search may have had other


def search_to_resume(
    folder: Path, config: Config | None, stages: Sequence[Stage], seeds: int | None
) -> Search:
    """The search in a folder, which must be the one that was asked for, as far as that was said.

    Raises ConfigError where it is another one, RunFolderError where it can't be read.
    """
    search = read_search(folder)
    if config is not None:
        free = ("search.coarse.trials",) if search.plan.coarse_from else ()
        refuse_other_config(folder, search.config, config, "search", free)
    if stages and [*stages] != search.plan.stages:
        raise ConfigError(f"{folder} has the stages {' and '.join(search.plan.stages)}; leave out the others")
    if seeds not in (None, search.plan.seeds):
        raise ConfigError(f"{folder} has {search.plan.seeds} seeds a trial; leave out --seeds")
    return search


def search_to_refine(config: Config, out: Path, told: Path | None) -> Search:
    """The coarse search to refine: `told`, or the newest finished one of this config in `out`.

    Raises ConfigError where there is none, or `told` is of another config.
    """
    if told is not None:
        search = read_search(told)
        refuse_other_config(told, search.config, config, "search", FREE)
        if search.plan.coarse_from:
            raise ConfigError(f"{told} refines another search itself: give --from {search.plan.coarse_from}")
        if not _has_coarse(search):
            raise ConfigError(f"{told}: its coarse search is not finished; cifarmlp search --resume {told}")
        return search
    for folder in files.folders(out, config.name):
        try:
            search = read_search(folder)
        except RunFolderError:
            continue  # a training's folder, or a damaged one
        if _has_coarse(search) and not differences(search.config, config, FREE):
            return search
    raise ConfigError(
        f"{out}: no finished coarse search of {config.name}, as it is now, to refine; run one with --coarse"
    )


def _has_coarse(search: Search) -> bool:
    """Whether its own coarse stage came to its end, whatever became of the fine one."""
    return "coarse" in search.plan.stages and (search.plan.status == "finished" or bool(search.plan.centres))
