"""Studies: YAML files that say what is to be trained, which numbers were reported, and what was concluded.

A study is a title and sections; a section is text and any of a table of experiments, gradient checks, a
search, and comparisons of experiments. All faults are told at once, with their places, as in configs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cifarmlp.config import Config, Draw, load_config
from cifarmlp.config.faults import check, refusal
from cifarmlp.config.files import find_beside, read_tree, shipped_studies
from cifarmlp.config.strict_yaml import Fault, Node, Place
from cifarmlp.errors import ConfigError
from cifarmlp.study.schema import Study
from cifarmlp.text import quote
from cifarmlp.training.gradcheck import NetworkCheck, check_of

LONGEST_SLUG = 59  # so that a study's name of 40 letters and a slug make a config's name


@dataclass(frozen=True)
class LoadedStudy:
    """A study with the config of each thing that is trained, checked or searched, by its name."""

    name: str
    study: Study
    experiments: dict[str, Config]
    checks: dict[str, Config]
    searches: dict[str, Config]  # by the section's title


def load_study(path: Path, overrides: Sequence[str] = ()) -> LoadedStudy:
    """The study in a file; `KEY=VALUE` overrides go over every config in it. Raises ConfigError."""
    faults: list[Fault] = []
    tree = read_tree(path, faults)
    if tree is None:
        raise refusal(faults)
    study, found = check(tree, Study)
    if study is None or faults or found:
        raise refusal(dict.fromkeys([*faults, *found]))
    faults = list(_misfits(study, tree))
    if faults:
        raise refusal(faults)
    return _resolved(study, tree, path, overrides)


def slug(name: str) -> str:
    """A name as part of a path: letters, digits and hyphens."""
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower()[:LONGEST_SLUG]


def config_name(study: str, title: str) -> str:
    """The name of the config of an experiment or a search in a study."""
    return f"{study[:40]}-{slug(title)}"


def _misfits(study: Study, tree: Node) -> Iterator[Fault]:
    """Names that are given twice, or that a comparison calls and nobody has."""
    for kind in ("title", "experiments", "gradcheck"):
        seen: set[str] = set()
        for name, place in _names(tree, kind):
            if slug(name) in seen:
                words = f"the name {quote(name)} is given twice, as its letters and digits go: give another"
                yield Fault(place, words)
            seen.add(slug(name))
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
    """The entries of all sections' lists of this kind."""
    for section in tree.value["sections"].value:
        if kind in section.value:
            yield from section.value[kind].value


def _resolved(study: Study, tree: Node, path: Path, overrides: Sequence[str]) -> LoadedStudy:
    name, faults = slug(path.stem) or "study", list[str]()

    def configs(nodes: Iterable[tuple[str, Node]]) -> dict[str, Config]:
        found = {}
        for title, node in nodes:
            try:
                config = _config(node, tree, path, overrides)
                found[title] = config.model_copy(update={"name": config_name(name, title)})
            except ConfigError as error:
                faults.append(str(error))
        return found

    experiments = configs((node.value["name"].value, node) for node in _nodes(tree, "experiments"))
    checks = configs((node.value["name"].value, node) for node in _nodes(tree, "gradcheck"))
    searches = configs(_searches(tree))
    faults += map(str, _not_searched(tree, searches))
    if faults:
        raise ConfigError("\n".join(dict.fromkeys("\n".join(faults).splitlines())))
    return LoadedStudy(name, study, experiments, checks, searches)


def _searches(tree: Node) -> Iterator[tuple[str, Node]]:
    for section in tree.value["sections"].value:
        search = _given(section, "search")
        if search is not None:
            yield section.value["title"].value, search


def _not_searched(tree: Node, searches: dict[str, Config]) -> Iterator[str]:
    """The searches whose config has none, and the reported values that it does not draw."""
    for title, node in _searches(tree):
        config = searches.get(title)
        if config is None:
            continue
        if config.search is None:
            yield f"{node.value['config'].place}: this config has no section `search`: name one that has"
            continue
        for key, value in _reported_values(node):
            told = _why_never_drawn(key, value.value, config.search.coarse.space)
            if told:
                yield f"{value.key}: {told}"


def _reported_values(search: Node) -> Iterator[tuple[str, Node]]:
    reported = search.value["reported"].value if "reported" in search.value else {}
    for stage in ("coarse", "fine"):
        for found in reported[stage].value if stage in reported else ():
            yield from found.value["values"].value.items()
    if "best" in reported:
        yield from reported["best"].value.items()


def _why_never_drawn(key: str, value: float, space: Mapping[str, Draw]) -> str | None:
    if key not in space:
        return f"the search does not draw {quote(key)}; it draws {', '.join(space)}"
    if space[key].log_uniform and value <= 0:
        return f"{key} is {value:g}; the search draws its logarithm: it must be greater than 0"
    return None


def _config(node: Node, tree: Node, path: Path, overrides: Sequence[str]) -> Config:
    named = _given(node, "config") or _given(tree, "base")
    if named is None:
        raise ConfigError(f"{node.place}: which config? Name one here, as config, or the study's base")
    changes = node.value["set"].value if "set" in node.value else {}
    try:
        found = find_beside(named.value, path)
    except ConfigError as error:
        raise ConfigError(f"{named.place}: {error}") from error
    return load_config(found, overrides, changes.items())


def _given(node: Node, key: str) -> Node | None:
    """What a mapping says of a key, unless it is null."""
    found: Node | None = node.value.get(key)
    return None if found is None or found.value is None else found


def checks_of_the_reports() -> list[NetworkCheck]:
    """Both reports' networks, with and without batch norm, and the differences that they printed."""
    studies = [load_study(path) for path in shipped_studies().values()]
    return [check for study in studies for check in _checks_of(study)]


def _checks_of(loaded: LoadedStudy) -> Iterator[NetworkCheck]:
    measures = {"relative": "relative", "distance": "||a - n||"}
    for section in loaded.study.sections:
        for each in section.gradcheck:
            if each.mistake is None:
                measure = f"{loaded.name.replace('-', ' ')}, {measures[each.measure]}"
                check = check_of(loaded.checks[each.name])
                yield replace(check, measure=measure, reported=each.reported or None)
