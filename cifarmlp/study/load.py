"""Load studies: YAML files with what to train, which numbers were reported, and what was concluded.

A study has a title and sections; a section has text and any of experiments, gradient checks, a search and
comparisons of experiments. All faults are reported at once, with their places, as in configs.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cifarmlp.config import Config, Draw, load_config
from cifarmlp.config.faults import check, refusal
from cifarmlp.config.files import find_beside, read_tree, shipped_studies
from cifarmlp.config.strict_yaml import Fault, Node, Place
from cifarmlp.errors import ConfigError
from cifarmlp.study.schema import Study
from cifarmlp.text import escape, quote
from cifarmlp.training.gradcheck import NetworkCheck, check_of

CONFIG_SECTIONS = {"data", "network", "training"}
LONGEST_SLUG = 59  # so that a study's name of 40 letters and a slug make a config's name


@dataclass(frozen=True)
class LoadedStudy:
    """A study, the overrides given to it, and the configs to train, check and search with, by name."""

    name: str
    study: Study
    overrides: tuple[str, ...]
    experiments: dict[str, Config]
    checks: dict[str, Config]
    searches: dict[str, Config]  # by the section's title


def load_study(path: Path, overrides: Sequence[str] = ()) -> LoadedStudy:
    """Load a study; the overrides, `KEY=VALUE`, change every config in it. Raises ConfigError."""
    study, tree = _read(path)
    return _load_configs(study, tree, path, overrides)


def read_study(path: Path) -> Study:
    """Return what a study's file says, without its configs. Raises ConfigError."""
    return _read(path)[0]


def _read(path: Path) -> tuple[Study, Node]:
    faults: list[Fault] = []
    tree = read_tree(path, faults)
    if tree is None:
        raise refusal(faults)
    if "sections" not in tree.value and CONFIG_SECTIONS & tree.value.keys():
        command = f"cifarmlp train {escape(shlex.quote(str(path)))}"
        raise ConfigError(f"{escape(str(path))}: a config, no study; train it: {command}")
    study, schema_faults = check(tree, Study)
    if study is None or faults or schema_faults:
        raise refusal(dict.fromkeys([*faults, *schema_faults]))
    faults = list(_name_faults(study, tree))
    if faults:
        raise refusal(faults)
    return study, tree


def slug(name: str) -> str:
    """Return a name as part of a path: lower-case letters, digits and hyphens.

    >>> slug("Figure 1: sigma = 1e-3")
    'figure-1-sigma-1e-3'
    """
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:LONGEST_SLUG]


def config_name(study: str, title: str) -> str:
    """Return the name of the config of an experiment or a search in a study.

    >>> config_name("report-2", "figure 3: batch norm")
    'report-2-figure-3-batch-norm'
    """
    return f"{study[:40]}-{slug(title)}"


def _name_faults(study: Study, tree: Node) -> Iterator[Fault]:
    yield from _repeated_names(tree)
    yield from _unknown_names(study, tree)


def _repeated_names(tree: Node) -> Iterator[Fault]:
    for kind in ("title", "experiments", "gradcheck"):
        seen: set[str] = set()
        for name, place in _names(tree, kind):
            if slug(name) in seen:
                words = f"the name {quote(name)} is given twice, as its letters and digits go: give another"
                yield Fault(place, words)
            seen.add(slug(name))


def _unknown_names(study: Study, tree: Node) -> Iterator[Fault]:
    """Yield a fault for each comparison of an experiment with itself, or with one that there is not."""
    names = {experiment.name for section in study.sections for experiment in section.experiments}
    for node in _nodes(tree, "comparisons"):
        of = node.value["of"]
        if len({name.value for name in of.value}) == 1:
            yield Fault(of.place, f"{quote(of.value[0].value)} is compared with itself: name two experiments")
        for name in of.value:
            if name.value not in names:
                words = f"no experiment of this study is called {quote(name.value)}"
                known = ", ".join(map(quote, sorted(names))) or "none"
                yield Fault(name.place, f"{words}; there are {known}")


def _names(tree: Node, kind: str) -> Iterator[tuple[str, Place]]:
    for node in tree.value["sections"].value if kind == "title" else _nodes(tree, kind):
        name = node.value["title" if kind == "title" else "name"]
        yield name.value, name.place


def _nodes(tree: Node, kind: str) -> Iterator[Node]:
    """Yield the entries of all sections' lists of this kind."""
    for section in tree.value["sections"].value:
        if kind in section.value:
            yield from section.value[kind].value


def _load_configs(study: Study, tree: Node, path: Path, overrides: Sequence[str]) -> LoadedStudy:
    """Load every config of a study. Raises ConfigError with the faults of all of them."""
    name, faults = slug(path.stem) or "study", list[str]()
    nodes = {
        "experiments": [(node.value["name"].value, node) for node in _nodes(tree, "experiments")],
        "checks": [(node.value["name"].value, node) for node in _nodes(tree, "gradcheck")],
        "searches": list(_searches(tree)),
    }
    configs: dict[str, dict[str, Config]] = {kind: {} for kind in nodes}
    for kind, entries in nodes.items():
        for title, node in entries:
            try:
                config = _config(node, tree, path, overrides)
                configs[kind][title] = config.model_copy(update={"name": config_name(name, title)})
            except ConfigError as error:
                faults.append(str(error))
    faults += _search_faults(tree, configs["searches"])
    if faults:
        raise ConfigError("\n".join(dict.fromkeys("\n".join(faults).splitlines())))
    return LoadedStudy(name, study, tuple(overrides), **configs)


def _searches(tree: Node) -> Iterator[tuple[str, Node]]:
    for section in tree.value["sections"].value:
        search = _value(section, "search")
        if search is not None:
            yield section.value["title"].value, search


def _search_faults(tree: Node, searches: dict[str, Config]) -> Iterator[str]:
    """Yield the faults of searches whose config has none, and of reported values that it does not draw."""
    for title, node in _searches(tree):
        config = searches.get(title)
        if config is None:
            continue
        if config.search is None:
            yield f"{node.value['config'].place}: this config has no section `search`: name one that has"
            continue
        for key, value in _reported_values(node):
            reason = _why_never_drawn(key, value.value, config.search.coarse.space)
            if reason:
                yield f"{value.key}: {reason}"


def _reported_values(search: Node) -> Iterator[tuple[str, Node]]:
    reported = search.value["reported"].value if "reported" in search.value else {}
    for stage in ("coarse", "fine"):
        for trial in reported[stage].value if stage in reported else ():
            yield from trial.value["values"].value.items()
    if "best" in reported:
        yield from reported["best"].value.items()


def _why_never_drawn(key: str, value: float, space: Mapping[str, Draw]) -> str | None:
    if key not in space:
        return f"the search does not draw {quote(key)}; it draws {', '.join(space)}"
    if space[key].log_uniform and value <= 0:
        return f"{key} is {value:g}; the search draws its logarithm: it must be greater than 0"
    return None


def _config(node: Node, tree: Node, path: Path, overrides: Sequence[str]) -> Config:
    source = _value(node, "config") or _value(tree, "base")
    if source is None:
        raise ConfigError(f"{node.place}: which config? Name one here, as config, or the study's base")
    changes = node.value["set"].value if "set" in node.value else {}
    try:
        file = find_beside(source.value, path)
    except ConfigError as error:
        raise ConfigError(f"{source.place}: {error}") from error
    return load_config(file, overrides, changes.items())


def _value(node: Node, key: str) -> Node | None:
    """Return the value of a key in a mapping, or None if it is absent or null."""
    value: Node | None = node.value.get(key)
    return None if value is None or value.value is None else value


def checks_of_the_reports() -> list[NetworkCheck]:
    """Return the gradient checks of the shipped studies, with the differences that the reports printed."""
    measures, checks = {"relative": "relative", "distance": "||a - n||"}, []
    paths = [path for path in shipped_studies().values() if _has_checks(read_study(path))]
    for study in map(load_study, paths):
        for each in (each for section in study.study.sections for each in section.gradcheck):
            if each.mistake is None:
                measure = f"{study.name.replace('-', ' ')}, {measures[each.measure]}"
                check = check_of(study.checks[each.name])
                checks.append(replace(check, measure=measure, reported=each.reported or None))
    return checks


def _has_checks(study: Study) -> bool:
    return any(section.gradcheck for section in study.sections)
