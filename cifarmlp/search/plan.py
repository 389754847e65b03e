"""The plan of a search: a new one, one to resume or to refine, and the populations left to train."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cifarmlp import files, parallel
from cifarmlp.config import Config, differences, override_with, refuse_other_config
from cifarmlp.errors import CifarmlpError, ConfigError, RunFolderError
from cifarmlp.search import ranking
from cifarmlp.search.folder import (
    NOWHERE,
    Search,
    SearchPlan,
    Stage,
    check_size,
    read_search,
    section_of,
)
from cifarmlp.search.populations import Member, configs_of, group_into_populations
from cifarmlp.search.ranking import Trial
from cifarmlp.search.sampling import Values, describe_values
from cifarmlp.training.cost import free_memory, steps_of
from cifarmlp.training.environment import config_has_changed
from cifarmlp.training.estimate import Estimate, estimate

STAGES: tuple[Stage, ...] = ("coarse", "fine")
Key = tuple[int, int]  # trial, seed
# Between a coarse search and one that refines it.
MAY_DIFFER = ("name", "search.fine", "search.coarse.trials")


def with_trials(config: Config, trials: int, stages: Sequence[Stage] = ()) -> Config:
    """Return the config with this number of trials in the given stages, or in all that it has."""
    wanted = [stage for stage in stages or STAGES if getattr(config.search, stage, None)]
    return override_with(config, {f"search.{stage}.trials": trials for stage in wanted})


def prepare_search(
    config: Config,
    stages: Sequence[Stage] = (),
    seeds: int = 1,
    cores: int | None = None,
    earlier_in: Path = Path("runs"),
    coarse_from: Path | None = None,
) -> Search:
    """Return a new search, without a folder yet.

    stages: by default all that the config has. seeds: trainings of each trial. cores: to share the trials
    between; by default those of this machine. A fine stage alone refines the coarse search `coarse_from`,
    or the newest one in `earlier_in`.
    Raises ConfigError if there is none, the config has no such stage, or a trial's values make no config.
    """
    section = section_of(config)
    check_size(section)
    _refuse_best(config)
    if "fine" in stages and section.fine is None:
        raise ConfigError(f"{config.name} has no search.fine; add it, or search with --coarse")
    stages = [*stages] or [stage for stage in STAGES if getattr(section, stage)]
    cores, memory = cores or parallel.cores(), free_memory()
    plan = SearchPlan(stages=stages, seeds=seeds, cores=cores, memory=memory, distinct=True)
    search = Search(NOWHERE, config, plan)
    if stages == ["fine"]:
        search = _refine(search, search_to_refine(config, earlier_in, coarse_from))
    members_of(search, stages[0])  # raises the ConfigError of a trial
    return search


def _refuse_best(config: Config) -> None:
    """Raise ConfigError if the trainings go by evaluations on the way: a search makes one, at the end."""
    training = config.training
    keys = {"keep": training.keep == "best", "patience": training.patience is not None}
    for key in (key for key, is_set in keys.items() if is_set):
        words = f"training.{key} goes by evaluations on the way, and a search makes one at the end"
        default = {"keep": "last", "patience": "null"}[key]
        raise ConfigError(
            f"{config.name}: {words}; --set training.{key}={default}, and train best.yaml with it"
        )


def _refine(search: Search, coarse: Search) -> Search:
    """Return the search with the trials and results of a coarse one, whatever their number."""
    seeds, section = search.plan.seeds, coarse.section
    if seeds > coarse.plan.seeds:
        there = f"{coarse.folder} has {coarse.plan.seeds} for each of its coarse trials"
        raise ConfigError(f"--seeds {seeds}: {there}; give no more, or search with --coarse first")
    both = search.section.model_copy(update={"coarse": section.coarse})
    config = search.config.model_copy(update={"search": both})
    both_of_it = {"coarse_from": str(coarse.folder), "distinct": coarse.plan.distinct}
    plan = search.plan.model_copy(update=both_of_it)
    results = {key: result for key, result in coarse.results.items() if coarse.stage(key[0]) == "coarse"}
    search = Search(NOWHERE, config, plan, results)
    if not choose_centres(search):
        raise CifarmlpError("no coarse trial has finished: there is nothing to refine; see trials.csv")
    return search


def choose_centres(search: Search) -> bool:
    """Make the best coarse trials the centres of the fine stage, for good, whatever is trained again later.

    No two of them are the same config. Returns False if there are none, as no coarse trial has finished.
    """
    if not search.plan.centres and search.section.fine:
        best_first = ranking.rank([t for t in search.trials() if search.stage(t.trial) == "coarse"])
        base = search.config.model_copy(update={"search": None})
        different: dict[Config | Trial, Values] = {}
        for trial in best_first:
            if len(different) < search.section.fine.centres:
                values = search.values(trial.trial)
                same = _config_of(base, trial.trial, values, 0) if search.plan.distinct else trial
                different.setdefault(same, values)
        search.plan = search.plan.model_copy(update={"centres": [*different.values()] or None})
    return bool(search.plan.centres)


def resume_search(
    folder: Path, config: Config | None = None, stages: Sequence[Stage] = (), seeds: int | None = None
) -> Search:
    """Return the search in a folder, to go on with it.

    Raises RunFolderError if it cannot be read, ConfigError if it has another config, stages or seeds, or its
    config was changed since it was begun.
    """
    search = read_search(folder)
    if config_has_changed(folder, search.config):
        raise ConfigError(
            f"{folder}: its config.yaml has changed since it was begun; put it back, or search anew"
        )
    if config is not None:
        free = ("search.coarse.trials",) if search.plan.coarse_from else ()
        refuse_other_config(folder, search.config, config, "search", free)
    if stages and [*stages] != search.plan.stages:
        raise ConfigError(
            f"{folder} has the stages {' and '.join(search.plan.stages)}; resume without --coarse and --fine"
        )
    if seeds not in (None, search.plan.seeds):
        raise ConfigError(f"{folder} has {search.plan.seeds} seeds a trial; leave out --seeds")
    return search


def search_to_refine(config: Config, out: Path, coarse_from: Path | None) -> Search:
    """Return the coarse search to refine: `coarse_from`, or the newest finished one of this config in `out`.

    Raises ConfigError if there is none, or `coarse_from` has another config or is not finished.
    """
    if coarse_from is not None:
        search = read_search(coarse_from)
        refuse_other_config(coarse_from, search.config, config, "search", MAY_DIFFER)
        if search.plan.coarse_from:
            hint = f"give --from {search.plan.coarse_from}"
            raise ConfigError(f"{coarse_from} refines another search itself: {hint}")
        if not _has_coarse(search):
            hint = f"cifarmlp search --resume {coarse_from}"
            raise ConfigError(f"{coarse_from}: its coarse search is not finished; {hint}")
        return search
    for folder in files.folders(out, config.name):
        try:
            search = read_search(folder)
        except RunFolderError:
            continue  # a training's folder, or a damaged one
        if _has_coarse(search) and not differences(search.config, config, MAY_DIFFER):
            return search
    raise ConfigError(
        f"{out}: no finished coarse search of {config.name}, as it is now, to refine; run one with --coarse"
    )


def _has_coarse(search: Search) -> bool:
    """Return whether the search finished a coarse stage of its own, whatever became of the fine one."""
    return "coarse" in search.plan.stages and (search.plan.status == "finished" or bool(search.plan.centres))


def members_of(search: Search, stage: Stage) -> list[Member]:
    """Return every training of a stage. Raises ConfigError if a trial's values make no config."""
    base = search.config
    if stage == "fine" or not search.section.coarse.halving:  # which a trial may not fit
        base = base.model_copy(update={"search": None})
    trials = [(trial, search.values(trial)) for trial in search.numbers(stage)]
    return [
        Member(trial, _config_of(base, trial, values, n))
        for n in range(search.plan.seeds)
        for trial, values in trials
    ]


def _config_of(base: Config, trial: int, values: Values, n: int) -> Config:
    """Return the config of the n-th seed of a trial."""
    try:
        config = override_with(base, {**values, "seed": values.get("seed", base.seed) + n})
        _refuse_best(config)
        return config.model_copy(update={"search": None})
    except ConfigError as error:
        fault = str(error).splitlines()[0]
        raise ConfigError(f"trial {trial}: {describe_values(values)}: {fault}") from error


def repeats(search: Search, stage: Stage) -> dict[Key, Key]:
    """Return the trainings of a stage whose config an earlier one has, each with the first such one.

    Both are trial and seed. There are none in a search of version 0.1, which trained every config.
    """
    if not search.plan.distinct:
        return {}
    members = members_of(search, "coarse") + (members_of(search, "fine") if stage == "fine" else [])
    first: dict[Config, Key] = {}
    found = {key_of(member): first.setdefault(member.config, key_of(member)) for member in members}
    numbers = search.numbers(stage)
    return {key: other for key, other in found.items() if key != other and key[0] in numbers}


def key_of(member: Member) -> Key:
    """Return trial and seed of a member, as its result is kept by."""
    return member.trial, member.config.seed


def populations_to_train(search: Search, stage: Stage) -> list[list[Member]]:
    """Return the populations of a stage in which a member has no result, or has failed."""

    def is_done(member: Member) -> bool:
        result = search.results.get(key_of(member))
        return result is not None and result.status != "failed"

    again = repeats(search, stage)
    members = [member for member in members_of(search, stage) if key_of(member) not in again]
    populations = _populations(search, members)
    return [population for population in populations if not all(map(is_done, population))]


def expected_populations(search: Search, stage: Stage) -> list[list[Member]]:
    """Return the populations to train in a stage, to estimate their cost.

    Coarse members stand in for those of a fine stage whose centres are not known yet.
    """
    if stage == "coarse" or search.plan.centres:
        return populations_to_train(search, stage)
    coarse, count = members_of(search, "coarse"), len(search.numbers(stage)) * search.plan.seeds
    return _populations(search, [coarse[i % len(coarse)] for i in range(count)])


def estimate_stage(
    search: Search, stage: Stage, populations: Sequence[Sequence[Member]], jobs: int
) -> Estimate:
    """Estimate the cost of training populations of a stage; see `estimate`."""
    whole, halving = estimate(configs_of(populations), jobs), search.section.coarse.halving
    if stage == "fine" or not halving or not populations:
        return whole
    config = populations[0][0].config
    share = halving.share_of_steps(config.training.cycle or 0, steps_of(config))
    return replace(whole, seconds=whole.seconds * share)


def _populations(search: Search, members: Sequence[Member]) -> list[list[Member]]:
    return group_into_populations(members, search.plan.cores, search.plan.memory)
