"""The commands as functions, for programs and notebooks; `import cifarmlp` offers them.

    load_config -> Config -> train -> Run -> evaluate, compare, write_report

Nothing is printed; Ctrl-C raises KeyboardInterrupt at once, and `resume` goes on. A config is given as a
Config, a path or a shipped one's name; a run as what is returned here, its folder, or its name in ``runs/``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from cifarmlp import config as configs
from cifarmlp import data
from cifarmlp.config import Config as Config
from cifarmlp.errors import CifarmlpError, ConfigError
from cifarmlp.runs.folder import Run as Run
from cifarmlp.runs.folder import Seed as Seed
from cifarmlp.runs.folder import load_training
from cifarmlp.training.outcome import Outcome as Outcome

if TYPE_CHECKING:
    from cifarmlp.data import Dataset
    from cifarmlp.runs.comparison import Comparison
    from cifarmlp.runs.evaluation import Report
    from cifarmlp.search.folder import Search, Stage
    from cifarmlp.search.run import Watch as WatchSearch
    from cifarmlp.study.folder import StudyFolder
    from cifarmlp.training.run import Watch as WatchTraining

    AnyConfig: TypeAlias = Config | str | Path
    AnyRun: TypeAlias = Run | Search | StudyFolder | str | Path

RUNS = Path("runs")


def load_config(config: AnyConfig, changes: Mapping[str, Any] | Sequence[str] = ()) -> Config:
    """Return a config with some of its values changed.

    changes: new values by their dotted keys, or a list of ``KEY=VALUE`` as after ``--set``.
    Raises ConfigError, with a line for each fault, if there is no such config or a value is wrong.

    >>> config = load_config("quickstart", {"training.steps": 500, "network.hidden": [30]})
    >>> config.training.steps, config.network.hidden
    (500, (30,))
    >>> load_config(config, ["seed=2"]).seed
    2
    """
    config = config if isinstance(config, Config) else configs.load_config(configs.find_config(str(config)))
    return configs.override_with(config, [changes] if isinstance(changes, str) else changes)


def train(
    config: AnyConfig,
    out: str | Path = RUNS,
    *,
    seeds: int = 1,
    jobs: int = 1,
    threads: int | None = None,
    data_dir: str | Path | None = None,
    watch: WatchTraining = lambda *_: None,
) -> Run:
    """Train a config with its seed and the ``seeds - 1`` after it, and return the run.

    out: where the run's folder ``NAME-001``, ``NAME-002``, … is made. jobs: processes side by side, a seed
    each; a script with several needs ``if __name__ == "__main__":``, as they import it. threads: of BLAS; by
    default two while the cores are idle, one if there are several jobs. data_dir: of CIFAR-10, if it is in no
    usual place. watch: called with the training and the record of each evaluation, if there is one job.
    Raises ConfigError, DataError if the images cannot be had, RunFolderError if `out` cannot be written.

    For example::

        run = cifarmlp.train("quickstart", seeds=3)
        accuracies = [outcome.metric("test", "accuracy") for outcome in run.outcomes()]
    """
    from cifarmlp.training.seeds import claim_repeats, train_seeds

    if seeds < 1:
        raise ConfigError(f"seeds={seeds}: give 1 or more")
    config = load_config(config)
    dataset = _load_images(config, data_dir, download=True)  # before a folder is claimed
    repeats = claim_repeats(config, seeds, Path(out))
    train_seeds([(repeats, dataset)], _path(data_dir), jobs=jobs, threads=threads, watch=watch)
    return load_training(repeats.folder)


def resume(
    run: AnyRun,
    *,
    jobs: int = 1,
    threads: int | None = None,
    data_dir: str | Path | None = None,
    watch: WatchTraining = lambda *_: None,
) -> Run:
    """Go on with an interrupted training from its last checkpoint, and return the run.

    The parameters are those of `train`. Seeds that have ended are left as they are.
    Raises ConfigError or RunFolderError if it is no training, or has been altered, and DataError.

    For example::

        run = cifarmlp.resume("runs/quickstart-001", jobs=2)
    """
    from cifarmlp.training.seeds import repeats_to_resume, train_seeds

    repeats = repeats_to_resume(_folder(run))
    dataset = _load_images(repeats.config, data_dir, download=True)
    train_seeds([(repeats, dataset)], _path(data_dir), jobs=jobs, threads=threads, watch=watch)
    return load_training(repeats.folder)


def _folders(runs: Sequence[AnyRun] | AnyRun) -> list[Path]:
    """Return the folder of each run; a single run need not be in a list."""
    several = runs if isinstance(runs, Sequence) and not isinstance(runs, str) else [runs]
    return [_folder(run) for run in several]


def _load_images(config: Config, place: str | Path | None, *, download: bool = False) -> Dataset:
    return data.load(config.data.source, _path(place), download=download)


def _path(place: str | Path | None) -> Path | None:
    return Path(place) if place else None


def _folder(run: AnyRun) -> Path:
    if not isinstance(run, str | Path):
        return run.path if isinstance(run, Run) else run.folder
    path, named = Path(run), RUNS / run
    return named if path.name == str(path) and not path.exists() and named.exists() else path


def _check_choice(name: str, value: str | None, choices: Sequence[str | None]) -> None:
    if value not in choices:
        raise ConfigError(f"{name}={value!r}: give one of {', '.join(map(repr, choices))}")


def load_run(run: AnyRun) -> Run:
    """Return a run: its config, and each of its seeds with its outcome.

    Raises ConfigError if it is a search or a study, RunFolderError if there is none or it is damaged.

    For example::

        run = cifarmlp.load_run("quickstart-001")
        last = run.seeds[0].rows()[-1]["validation_accuracy"]
    """
    return load_training(_folder(run))


def evaluate(
    run: AnyRun,
    part: Literal["train", "validation", "test"] = "test",
    *,
    seed: int | None = None,
    data_dir: str | Path | None = None,
) -> Report:
    """Evaluate the saved model of each seed of a run, or of one seed, on a part of the images.

    Raises ConfigError if there is no such seed, RunFolderError if a model is missing or damaged, DataError.

    For example::

        report = cifarmlp.evaluate("quickstart-001")
        accuracy, confusion = report.metrics()["accuracy"]["mean"], report.confusion()
    """
    from cifarmlp.runs import evaluation

    _check_choice("part", part, ("train", "validation", "test"))
    folder, seeds = evaluation.choose_seeds(_folder(run), seed)
    return evaluation.evaluate(folder, seeds, _load_images(seeds[0].config, data_dir), part)


def compare(runs: Sequence[AnyRun]) -> Comparison:
    """Compare runs with the first of them: results, differences seed by seed, and how their configs differ.

    Raises ConfigError if they are fewer than two or one is given twice, RunFolderError if one is damaged.

    For example::

        runs = [cifarmlp.train("quickstart", seeds=2), cifarmlp.train("quickstart", seeds=2)]
        difference = cifarmlp.compare(runs).paired["quickstart-003"]["test"]["mean"]
    """
    from cifarmlp.runs import comparison

    return comparison.compare(_folders(runs))


def run_search(
    config: AnyConfig | None = None,
    out: str | Path = RUNS,
    *,
    stages: Sequence[Stage] = (),
    seeds: int | None = None,
    coarse_from: str | Path | None = None,
    resume: AnyRun | None = None,
    jobs: int | None = None,
    dask: str | None = None,
    data_dir: str | Path | None = None,
    watch: WatchSearch = lambda *_: None,
) -> Search:
    """Search good values of a config's fields, those of its section ``search``; return the search.

    config: by default that of the search to `resume`, or report 2's. stages: ``["coarse"]`` or ``["fine"]``
    alone; by default all that the config has. seeds: trainings of a trial, whose mean counts; by default one.
    coarse_from: the coarse search that a fine one alone refines; by default the newest in `out`. jobs: by
    default one a core. dask: a cluster's address. watch: called with the progress and the trials just ended.
    Raises ConfigError if the config has no such search, DataError, and RunFolderError.

    For example::

        search = cifarmlp.run_search("report-2/search", seeds=2)
        run = cifarmlp.train(search.folder / "best.yaml")
    """
    from cifarmlp import parallel
    from cifarmlp.search import plan
    from cifarmlp.search import run as searching

    if coarse_from and [*stages] != ["fine"]:
        raise ConfigError('coarse_from goes with stages=["fine"] alone')
    cluster = parallel.connect(dask) if dask else None
    cores = parallel.size(cluster) if cluster else parallel.cores()
    if resume:
        given = load_config(config) if config else None
        search = plan.resume_search(_folder(resume), given, stages, seeds)
    else:
        given, coarse = load_config(config or "report-2/search"), Path(coarse_from) if coarse_from else None
        search = plan.prepare_search(given, stages, seeds or 1, cores, Path(out), coarse)
    jobs = cores if cluster else jobs or cores
    searching.run_search(search, Path(out), _path(data_dir), jobs=jobs, cluster=cluster, watch=watch)
    return search


def run_study(
    study: str | Path,
    out: str | Path = RUNS,
    *,
    changes: Sequence[str] = (),
    only: Sequence[str] = (),
    repeats: int | None = None,
    trials: int | None = None,
    jobs: int | None = None,
    data_dir: str | Path | None = None,
    strict: bool = False,
) -> StudyFolder:
    """Train what a study says, and return its folder. The same call goes on with an interrupted one.

    study: a path, or a shipped study's name. changes: ``KEY=VALUE`` for every config in it. only: words of
    its sections' titles. repeats, trials: of each experiment and of each stage of a search, where not the
    study's. jobs: by default one a core. strict: refuse what was made with other code or another NumPy.
    Raises ConfigError, DataError, RunFolderError; CifarmlpError if a training failed twice, the others done.

    For example::

        study = cifarmlp.run_study("report-1", repeats=2)
        cifarmlp.write_report([study], study.folder / "report.html")
    """
    from cifarmlp.config.files import find_study
    from cifarmlp.parallel import cores
    from cifarmlp.study import run as studying
    from cifarmlp.study.folder import load_study_folder
    from cifarmlp.study.load import load_study
    from cifarmlp.study.plan import plan_study

    loaded = load_study(find_study(str(study)), changes)
    plan = plan_study(loaded, Path(out), only=only, repeats=repeats, trials=trials)
    folder, lost = studying.run_study(plan, Path(out), _path(data_dir), jobs=jobs or cores(), strict=strict)
    if lost:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in lost.items())
        raise CifarmlpError(f"not trained after two tries: {reasons}")
    return load_study_folder(folder)


def write_report(
    runs: Sequence[AnyRun],
    output: str | Path,
    *,
    title: str = "",
    text: str = "",
    tables: Literal["md", "tex"] | None = None,
    figures: bool = False,
) -> list[Path]:
    """Write trainings and searches, or studies, as one HTML page; return the files that were written.

    It needs no other file and no network. title, text: of its head; blank lines part paragraphs. tables: also
    each table as Markdown or LaTeX, in ``tables/`` beside it; figures: also as SVG and PDF, in ``figures/``.
    Raises ConfigError if `output` exists and is no report, or studies are mixed with others; RunFolderError.

    For example::

        page, *tables = cifarmlp.write_report(["quickstart-001"], "report.html", tables="md")
    """
    from cifarmlp.report.build import build_page
    from cifarmlp.report.write import write_page

    _check_choice("tables", tables, ("md", "tex", None))
    page = build_page(_folders(runs), Path(output).parent, title, text)
    return write_page(page, Path(output), tables, figures)
