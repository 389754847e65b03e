"""Studies with outcomes made by hand, as `study.folder.load_study_folder` would load them."""

from pathlib import Path
from typing import Any

from cifarmlp.runs.folder import Run, Seed
from cifarmlp.search.folder import Search, SearchPlan
from cifarmlp.search.ranking import Result
from cifarmlp.study.folder import StudyFolder, StudyRecord, StudyRequest
from cifarmlp.study.schema import Study
from cifarmlp.training.outcome import PARTS, Outcome
from helpers import tiny

LAMBDA, ETA = "training.lambda", "training.schedule.eta_max"
SPACE = f"{{{LAMBDA}: {{log_uniform: [1.0e-5, 1.0e-1]}}, {ETA}: {{uniform: [0.01, 0.5]}}}}"


def state_of(section: dict[str, Any]) -> StudyFolder:
    """A study of this section, named s, in which nothing was done."""
    study = Study.model_validate({"title": "t", "sections": [{"title": "s", **section}]})
    return StudyFolder(Path("nowhere"), StudyRecord(asked=StudyRequest(name="s", study=study)))


def outcome(accuracy: tuple[float, float, float], seed: int = 1, loss: float = 1.0, **more: Any) -> Outcome:
    """A training of 10 steps and 2 s with these accuracies of train, validation and test."""
    metrics = {p: {"cost": loss, "loss": loss, "accuracy": a} for p, a in zip(PARTS, accuracy, strict=True)}
    return Outcome(
        **{"status": "finished", **more}, steps=10, epochs=1.0, seconds=2.0, metrics=metrics, seed=seed
    )


def good_outcomes() -> list[Outcome]:
    """Three seeds: 0.60, 0.50 and 0.51, with standard deviations of 0.01, 0.01 and 0.02."""
    return [outcome((0.60 + d, 0.50 - d, 0.51 + 2 * d), seed) for seed, d in enumerate((0.0, 0.01, -0.01), 1)]


def run_of(*outcomes: Outcome, folder: Path = Path("x")) -> Run:
    """A run with 1,000 validation images and these outcomes."""
    config = tiny.config("data.validation=1000")
    return Run(folder, config, tuple(Seed(folder, config, each) for each in outcomes))


def search_of(trials: dict[tuple[float, float], float], folder: Path = Path("x")) -> Search:
    """A search whose trials have these values of lambda and eta_max, and validation accuracies."""
    section = f"search={{coarse: {{trials: {max(1, len(trials))}, space: {SPACE}}}}}"
    config = tiny.config(section, "data.validation=1000")
    search = Search(folder, config, SearchPlan(stages=["coarse"], cores=1, memory=1.0))
    search.values = [{}, *({LAMBDA: lam, ETA: eta} for lam, eta in trials)].__getitem__  # type: ignore[method-assign]
    for number, accuracy in enumerate(trials.values(), 1):
        search.results[number, 1] = Result(number, 1, "finished", accuracy + 0.1, accuracy, 1.0, 3.0)
    return search
