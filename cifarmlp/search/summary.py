"""Summary of a search: its best trials (top.json), their plot (search.png), the best config (best.yaml)."""

from collections.abc import Mapping
from shlex import quote
from typing import Any

from cifarmlp import files
from cifarmlp.config import override_with, to_yaml
from cifarmlp.render.trials import draw_trials
from cifarmlp.search import ranking
from cifarmlp.search.folder import Search
from cifarmlp.search.ranking import Trial
from cifarmlp.search.sampling import centre_of


def summarise_search(search: Search, top: int) -> dict[str, Any]:
    """Return the content of top.json.

    It has the best `top` trials of the coarse search and around each centre of the fine one, the best of all,
    and how many others are not significantly worse than that.
    """
    tables = [
        {"of": name, "trials": len(trials), "top": [_entry(search, t) for t in ranking.rank(trials)[:top]]}
        for name, trials in _groups(search).items()
    ]
    summary: dict[str, Any] = {"seeds": search.plan.seeds, "best": None, "tables": tables}
    best_first = ranking.rank(search.trials())
    if best_first:
        noise = ranking.noise(best_first, search.config.data.validation_images)
        summary |= {
            "best": _entry(search, best_first[0]),
            "standard_error": noise,
            "not_told_from_the_best": ranking.count_indistinguishable(best_first, noise) - 1,
        }
    return summary


def _groups(search: Search) -> dict[str, list[Trial]]:
    """Return the trials that have a table in common, by its title."""
    groups: dict[str, list[Trial]] = {}
    for trial in search.trials():
        groups.setdefault(_group(search, trial.trial), []).append(trial)
    return groups


def _group(search: Search, trial: int) -> str:
    coarse, fine = search.section.coarse, search.section.fine
    if fine is None or trial <= coarse.trials:
        return "coarse"
    centre = centre_of(fine, trial - coarse.trials)
    return "fine" if centre is None else f"fine, around the coarse search's number {centre + 1}"


def _entry(search: Search, trial: Trial) -> dict[str, Any]:
    std = {"validation_std": trial.validation_std} if trial.seeds > 1 else {}
    return {**search.row(trial), **std}


def validation_accuracy(entry: Mapping[str, Any]) -> str:
    """Return the validation accuracy of an entry of top.json as text, with its std if it has several seeds.

    >>> validation_accuracy({"validation_accuracy": 0.56}), validation_accuracy(
    ...     {"validation_accuracy": 0.56, "validation_std": 0.01}
    ... )
    ('0.5600', '0.5600 ± 0.0100')
    """
    std = entry.get("validation_std")
    return f"{entry['validation_accuracy']:.4f}" + ("" if std is None else f" ± {std:.4f}")


def write_summary(search: Search, top: int) -> dict[str, Any]:
    """Write top.json and, if there is a best trial, best.yaml and search.png; return the first's content."""
    summary = summarise_search(search, top)
    files.write_json(search.folder / "top.json", summary)
    if summary["best"] is not None:
        best = override_with(search.config, search.values(summary["best"]["trial"]))
        best = best.model_copy(update={"name": f"{best.name[:95]}-best", "search": None})
        files.write_text(search.folder / "best.yaml", to_yaml(best))
        with files.forgive(search.folder / "search.png", f"cifarmlp report {quote(str(search.folder))}"):
            figure = draw_trials(*points_by_stage(search), title=search.config.name)
            files.write_png(search.folder / "search.png", figure)
    return summary


def points_by_stage(search: Search) -> tuple[dict[str, list[dict[str, Any]]], dict[str, bool]]:
    """Return the rows of trials.csv by stage, and for each searched field whether its axis is logarithmic."""
    stages: dict[str, list[dict[str, Any]]] = {"coarse": [], "fine": []}
    for trial in search.trials():
        stages[search.stage(trial.trial)].append(search.row(trial))
    space = search.section.coarse.space
    return stages, {key: space[key].log_uniform is not None for key in search.fields}
