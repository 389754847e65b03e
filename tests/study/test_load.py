"""Studies read from files: the shipped ones, what they may say, and what is told of a fault and where."""

import time
from collections import Counter
from pathlib import Path

import pytest
from helpers.config_text import in_an_empty_folder  # noqa: F401

from cifarmlp.config.files import find_study, shipped_studies
from cifarmlp.errors import ConfigError
from cifarmlp.study import load as load_
from cifarmlp.study.load import LoadedStudy, checks_of_the_reports, load_study

SMALL = """\
title: A small study
base: quickstart
sections:
  - title: Depth
    experiments:
      - {name: "a: plain"}
      - {name: "b: wide", config: report-1/figure-1, set: {network.hidden: [60], training.lambda: 0.1}}
    comparisons:
      - {claim: wide is better, of: ["b: wide", "a: plain"]}
"""
SEARCH = """\
title: A search
sections:
  - title: Lambda
    search: {config: report-2/search, reported: %s}
"""


def load(text: str, *overrides: str) -> LoadedStudy:
    Path("s.yaml").write_text(text)
    return load_study(Path("s.yaml"), overrides)


def faults(text: str, *overrides: str) -> list[str]:
    """The lines of the refusal, without the name of the file; quickly."""
    begun = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load(text, *overrides)
    assert time.process_time() - begun < 5
    return [line.removeprefix("s.yaml:") for line in str(caught.value).splitlines()]


def changed(*pairs: tuple[str, str], text: str = SMALL) -> str:
    for old, new in pairs:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return text


# The shipped studies


@pytest.fixture(scope="module")
def shipped() -> dict[str, LoadedStudy]:
    return {name: load_study(path) for name, path in shipped_studies().items()}


def test_the_shipped_studies_are_two_reports_and_four_assignments(
    shipped: dict[str, LoadedStudy],
) -> None:
    assert list(shipped) == ["dd2424-1", "dd2424-2", "dd2424-3", "report-1", "report-2", "smai-4"]
    assert [load_study(find_study(name)).study for name in shipped] == [s.study for s in shipped.values()]


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("report-1", {"sections": 5, "experiments": 9, "accuracies": 9, "statuses": 2, "checks": 4,
                      "differences": 10, "searches": 1, "trials": 0, "best": 1, "comparisons": 6}),
        ("report-2", {"sections": 5, "experiments": 18, "accuracies": 51, "stds": 3, "checks": 3,
                      "differences": 30, "searches": 1, "trials": 12, "best": 1, "comparisons": 11}),
        ("dd2424-1", {"sections": 3, "experiments": 10, "accuracies": 23, "comparisons": 7}),
        ("dd2424-2", {"sections": 4, "experiments": 14, "accuracies": 28, "comparisons": 10}),
        ("dd2424-3", {"sections": 2, "experiments": 8, "accuracies": 20, "comparisons": 7}),
        ("smai-4", {"sections": 1, "experiments": 4, "accuracies": 8, "losses": 6, "f1": 3,
                    "comparisons": 4}),
    ],
)  # fmt: skip
def test_every_number_of_the_reports_is_there(
    name: str, counts: dict[str, int], shipped: dict[str, LoadedStudy]
) -> None:
    sections = shipped[name].study.sections
    experiments = [each for section in sections for each in section.experiments]
    checks = [each for section in sections for each in section.gradcheck]
    searches = [section.search.reported for section in sections if section.search]
    found = Counter(
        sections=len(sections),
        experiments=len(experiments),
        accuracies=sum(number is not None for e in experiments for number in e.reported.accuracy),
        losses=sum(number is not None for e in experiments for number in e.reported.loss),
        f1=sum(e.reported.f1 is not None for e in experiments),
        stds=sum(number is not None for e in experiments for number in e.reported.std),
        statuses=sum(e.reported.status is not None for e in experiments),
        checks=len(checks),
        differences=sum(len(check.reported) for check in checks),
        searches=len(searches),
        trials=sum(len(s.coarse) + len(s.fine) for s in searches),
        best=sum(bool(s.best) for s in searches),
        comparisons=sum(len(section.comparisons) for section in sections),
    )
    assert +found == Counter(counts)


def test_some_numbers_of_the_reports(shipped: dict[str, LoadedStudy]) -> None:
    reports = (shipped[name].study.sections for name in ("report-1", "report-2"))
    one, two = ({e.name: e for s in sections for e in s.experiments} for sections in reports)
    assert one["figure 1: batch norm"].reported.accuracy == (0.6306, 0.4224, 0.4263)
    assert one["figure 8: no batch norm, eta 1"].reported.status == "diverged"
    best = two["best model: 3 layers"]
    assert (best.reported.accuracy, best.reported.std) == ((0.6342, 0.5496, 0.5366), (0.0024, 0.0082, 0.0029))
    assert (best.reported.n, best.repeats) == (20, 20)
    assert two["figure 4: 9 layers, batch norm"].reported.accuracy == (0.578, 0.529, 0.5132)


def test_the_configs_of_the_shipped_studies(shipped: dict[str, LoadedStudy]) -> None:
    one, two = shipped["report-1"], shipped["report-2"]
    assert one.experiments["figure 7: batch norm, eta 1"].training.schedule.eta == 1  # type: ignore[union-attr]
    assert two.experiments["best lambda: 9 layers"].network.hidden == (50, 30, 20, 20, 10, 10, 10, 10)
    assert two.experiments["best lambda: 9 layers"].training.lam == pytest.approx(0.0035476760480130176)
    assert two.searches["Search: lambda"].search is not None
    assert one.checks["3 layers (50-30), batch norm"].training.lam == 0.005
    assert all(config.name.startswith("report-2-") for config in two.experiments.values())
    assert two.experiments["figure 3: 3 layers, batch norm"].name == "report-2-figure-3-3-layers-batch-norm"


def test_gradcheck_takes_its_checks_from_the_shipped_studies() -> None:
    checks = checks_of_the_reports()
    assert [check.measure for check in checks] == [
        *["report 1, ||a - n||", "report 1, relative"] * 2,
        *["report 2, relative"] * 2,
    ]
    assert not any(check.mistake for check in checks)
    assert [len(check.reported or ()) for check in checks] == [4, 0, 6, 0, 8, 12]
    assert checks[5].reported is not None
    assert checks[5].reported["W1"] == 0.45953875826419116
    assert [check.network.hidden for check in checks] == [(50,)] * 2 + [(50, 30)] * 2 + [(50, 50, 50)] * 2


# What a study may say


def test_a_config_of_its_own_or_the_base_with_changes() -> None:
    loaded = load(SMALL)
    plain, wide = loaded.experiments["a: plain"], loaded.experiments["b: wide"]
    assert (plain.name, wide.name) == ("s-a-plain", "s-b-wide")
    assert wide.network.hidden == (60,)
    assert wide.network.batch_norm is not None
    assert wide.training.lam == 0.1
    assert plain.network.hidden != (60,)


def test_a_config_that_is_null_is_the_base() -> None:
    text = changed(('name: "a: plain"', 'name: "a: plain", config: null'))
    assert load(text).experiments == load(SMALL).experiments


def test_configs_are_found_beside_the_study(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "mine.yaml").write_text("network: {hidden: [7]}\n")
    (tmp_path / "deep" / "x.yaml").write_text(changed(("base: quickstart", "base: mine.yaml")))
    assert load_study(tmp_path / "deep" / "x.yaml").experiments["a: plain"].network.hidden == (7,)


def test_set_goes_over_every_config() -> None:
    text = SMALL + (
        "  - title: Others\n"
        "    gradcheck: [{name: c, set: {training.lambda: 0.3}}]\n"
        "    search: {config: report-2/search}\n"
    )
    loaded = load(text, "training.lambda=0.25", "training.steps=10", "name=x")
    configs = [*loaded.experiments.values(), *loaded.checks.values(), *loaded.searches.values()]
    assert len(configs) == 4
    assert {(config.training.lam, config.training.steps) for config in configs} == {(0.25, 10)}
    assert loaded.experiments["b: wide"].network.hidden == (60,)
    assert "x" not in {config.name for config in configs}


def test_a_section_may_be_words_alone() -> None:
    loaded = load(
        "title: t\nsections:\n  - title: a\n    text: |\n      two\n      lines\n    search: null\n"
    )
    assert loaded.study.sections[0].text == "two\nlines\n"
    assert not loaded.searches


@pytest.mark.parametrize("name", ["Größe 1", "x" * 100, "日本 2", "a\u00a0b — ‘c’ 😀"])
def test_names_in_all_alphabets(name: str) -> None:
    assert name in load(changed(('"a: plain"}', f'"{name}"}}'), ('"a: plain"]', f'"{name}"]'))).experiments


def test_slugs_are_short_and_safe() -> None:
    assert load_.slug("Figure 1: σ = 1e-3 / <b>") == "figure-1-1e-3-b"
    assert load_.slug("../..\x00") == ""
    assert len(load_.config_name("s" * 90, "t " * 90)) <= 100


# Faults


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("base:", "bse:", "2:1: unknown key 'bse'; did you mean 'base'?"),
        ("    experiments:", "    experimants:", "5:5: unknown key 'experimants' in sections[0]; did you"),
        ('{name: "a: plain"}', '{name: "a: plain", repeat: 3}', "6:28: unknown key 'repeat' in sections[0]"),
        ('"a: plain"}', '"a: plain", repeats: many}', "6:37: sections[0].experiments[0].repeats is 'many'"),
        ('"a: plain"}', '"a: plain", repeats: 0}', "6:37: sections[0].experiments[0].repeats is 0"),
        ('{name: "a: plain"}', "{name: 7}", "6:16: sections[0].experiments[0].name is 7; it must be text"),
        ('{name: "a: plain"}', "{}", "6:9: sections[0].experiments[0].name is missing"),
        ('{name: "a: plain"}', '{name: "--"}', "6:16: sections[0].experiments[0].name is '--'; it must be"),
        ('"a: plain"}', '"a: plain"}\n      - {name: "A, plain"}', "7:16: the name 'A, plain' is given"),
        ('"b: wide", "a: plain"', '"b: wide", "a: plan"', "9:49: no experiment of this study is called"),
        ('"b: wide", "a: plain"', '"b: wide"', "9:37: sections[0].comparisons[0].of is [\"b: wide\"]"),
        ('["b: wide", "a: plain"]}', '["b: wide", "a: plain"], expected: better}', "9:72: sections[0]"),
        ('["b: wide", "a: plain"]}', '["b: wide", "a: plain"], quantity: loss}', "9:72: sections[0]"),
        ("base: quickstart\n", "", "5:9: which config? Name one here, as config, or the study's base"),
        ("base: quickstart", "base: quickstrat", "2:7: quickstrat: no such file or shipped config"),
        ("report-1/figure-1", "report-1/figure-99", "7:35: report-1/figure-99: no such file or shipped"),
        ("network.hidden: [60]", "network.hiden: [60]", "7:60: unknown key 'hiden' in network; did you mean"),
        ("network.hidden: [60]", "network.hidden: x", "7:76: network.hidden is 'x'; it must be a list of"),
        ("network.hidden: [60]", "extends: quickstart", "7:60: extends belongs in a file"),
        ("title: A small study", "title: ''", "1:8: title is ''; it must be at least 1 letter long"),
        ("title: A small study", "title: [1]", "1:8: title is [1]; it must be text"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_place(old: str, new: str, told: str) -> None:
    found = faults(changed((old, new)))
    assert len(found) == 1, found
    assert found[0].startswith(told), found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title: t\nsections: []\n", "2:11: sections is []; it must be at least 1 item long"),
        ("title: t\n", "1:1: sections is missing"),
        ("title: t\nsections: 3\n", "2:11: sections is 3; it must be a list"),
        ("title: t\nsections: [{title: a}, {title: A.}]\n", "2:32: the name 'A.' is given twice"),
        ("title: t\nsections: [{title: a, search: {}}]\n", "2:23: sections[0].search.config is missing"),
        ("title: t\nsections: [{title: a, experiments: null}]\n", "2:36: sections[0].experiments is null"),
        ("", " the file is empty"),
        ("- 1\n", "1:1: a config is a mapping"),
    ],
)
def test_what_is_no_study(text: str, told: str) -> None:
    (found,) = faults(text)
    assert told in found


def test_all_faults_are_told_at_once() -> None:
    text = changed(
        ("base:", "bse:"), ('{name: "a: plain"}', "{name: 7}"), ("claim: wide is better", "clam: x")
    )
    assert [line.split(":")[0] for line in faults(text)] == ["2", "6", "9", "9"]


def test_faults_of_every_config_are_told_at_once() -> None:
    text = changed(("base: quickstart", "base: nowhere"), ("network.hidden: [60]", "network.hiden: [60]"))
    assert len(faults(text)) == 2


def test_a_fault_in_set_is_told_once() -> None:
    (told,) = faults(SMALL, "training.lamda=1")
    assert told.startswith("--set training.lamda=1: unknown key 'lamda' in training")


def test_a_fault_in_a_config_is_told_with_its_own_place() -> None:
    Path("mine.yaml").write_text("seed: -1\n")
    assert faults(changed(("base: quickstart", "base: mine.yaml")))[0].startswith("mine.yaml:1:7: seed is -1")


def test_a_missing_file() -> None:
    with pytest.raises(ConfigError, match="no such file"):
        load_study(Path("nowhere.yaml"))
    with pytest.raises(ConfigError, match="did you mean 'report-1'"):
        find_study("report1")


REPORTED = [
    ("{std: [0.1, null, null]}", "a std is of at least 2 runs: say n, how many they were"),
    ("{accuracy: [0.5, 0.5]}", "at least 3 item"),
    ("{accuracy: 0.5}", "a list of three fractions"),
    ("{accuracy: [0.5, 0.5, 54.2]}", "54.2 must be at most 1, a fraction: for 54.2 % write 0.542"),
    ("{accuracy: [0.5, 0.5, 153.2]}", "at most 1"),
    ("{f1: 54.2}", "write 0.542"),
    ("{f1: -0.1}", "at least 0"),
    ("{loss: [1.5, 1.6]}", "at least 3 item"),
    ("{loss: [null, null, -1]}", "at least 0"),
    ("{loss: 1.5}", "a list of three numbers"),
    ("{accuracy: [0.5, 0.5, .nan]}", "a finite number"),
    ("{accuracy: [0.5, 0.5, high]}", "a number"),
    ("{n: 0}", "at least 1"),
    ("{status: exploded}", "'finished' or 'diverged'"),
]


@pytest.mark.parametrize(("reported", "told"), REPORTED)
def test_reported_numbers_that_are_none(reported: str, told: str) -> None:
    (found,) = faults(changed(('"a: plain"}', f'"a: plain", reported: {reported}}}')))
    assert found.startswith("6:")
    assert told in found


def test_a_search_needs_a_config_that_has_one() -> None:
    (told,) = faults("title: t\nsections:\n  - title: a\n    search: {config: report-2/figure-1}\n")
    assert told.startswith("4:22: this config has no section `search`")


@pytest.mark.parametrize(
    ("reported", "told"),
    [
        ("{best: {training.lamda: 0.1}}", "4:57: the search does not draw 'training.lamda'; it draws"),
        ("{best: {training.lambda: 0}}", "4:57: training.lambda is 0; the search draws its logarithm"),
        ("{fine: [{values: {training.lambda: -1.0}}]}", "4:67: training.lambda is -1; the search draws"),
        ("{coarse: [{values: {seed: 1}}]}", "4:69: the search does not draw 'seed'"),
        ("{coarse: [{values: {}}]}", "4:68: sections[0].search.reported.coarse[0].values is"),
    ],
)  # fmt: skip
def test_reported_trials_that_the_search_could_never_make(reported: str, told: str) -> None:
    (found,) = faults(SEARCH % reported)
    assert found.startswith(told)


def test_names_that_are_the_same_up_to_where_they_are_cut() -> None:
    long = "x" * 80
    text = f"title: t\nsections: [{{title: {long} one}}, {{title: {long} two}}]\n"
    assert "is given twice" in faults(text)[0]


# Hostile files


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title: !!python/object/apply:os.system ['true']\nsections: [{title: a}]\n", "tags"),
        ("title: &a [x, x]\ntext: &b [*a, *a]\nbase: [*b, *b]\nsections: [{title: a}]\n", "anchors"),
        ("title: t\nsections: " + "[" * 100_000, "nested more than"),
        ("title: t\nsections: [" + "{title: a}, " * 6_000 + "]", "too many"),
        ("title: t\nsections: [" + ", ".join(f"{{title: a{i}}}" for i in range(101)) + "]", "at most 100"),
        ("title: t\ntitle: u\nsections: [{title: a}]\n", "given twice"),
        ("title: \x1b[2J\nsections: [{title: a}]\n", "not allowed"),
        ("title: t\nsections: [{title: a, text: " + "x" * 300_000 + "}]\n", "larger than"),
        ("title: t\nsections: [{title: a, text: " + "x" * 20_000 + "}]\n", "at most 10000 letters"),
    ],
)
def test_hostile_files_are_refused(text: str, told: str) -> None:
    found = faults(text)
    assert told in "".join(found)
    assert len(found) < 20


@pytest.mark.parametrize("escape", [r"\e[2J", r"\0", r"\ud800", r"\u202e", r"\a"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("title: A small study", 'title: "x{}"'),
        ("title: A small study", 'title: t\ntext: "x{}"'),
        ("title: Depth", 'title: "x{}"'),
        ('name: "a: plain"', 'name: "x{}"'),
        ('name: "a: plain"', 'name: "a: plain", note: "x{}"'),
        ("claim: wide is better", 'claim: "x{}"'),
    ],
)
def test_characters_that_move_a_cursor_are_refused(escape: str, old: str, new: str) -> None:
    found = faults(changed((old, new.replace("{}", escape))))
    assert "be shown" in found[0]
    assert all(line.isprintable() for line in found)


@pytest.mark.parametrize("name", [r"two\nlines", r"a\tb"])
def test_names_are_one_line(name: str) -> None:
    assert "must be one line" in faults(changed(('name: "a: plain"', f'name: "{name}"')))[0]


def test_names_in_a_refusal_are_escaped() -> None:
    text = changed(('"b: wide", "a: plain"]', r'"b: wide", "a\e[2J\nx"]'))
    found = faults(text)
    assert len(found) == 1
    assert found[0].isprintable()
