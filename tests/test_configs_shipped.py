"""The shipped configs load, say what they reproduce, and train for as long as the reports say."""

import re
from pathlib import Path

import pytest

from cifarmlp.config import Config, ConstantConfig, dotted, find_config, load_config, shipped_configs
from cifarmlp.config.files import shipped_studies
from cifarmlp.search.sampling import fine_trials
from cifarmlp.study.load import load_study
from cifarmlp.training.cost import steps_of

SHIPPED = shipped_configs()
DEEP = (50, 30, 20, 20, 10, 10, 10, 10)
SIGMAS = (0.1, 0.001, 0.0001)
# Figures 5 to 16: for each sigma 3 layers without and with batch norm, then 9 layers.
GRID = [(sigma, hidden, norm) for sigma in SIGMAS for hidden in ((50, 50), DEEP) for norm in (False, True)]


def test_each_is_told_apart_by_its_first_line() -> None:
    firsts = [path.read_text().splitlines()[0] for path in SHIPPED.values()]
    assert len(set(firsts)) == len(firsts)
    assert [line for line in firsts if not line.endswith(".") or len(line) > 110] == []


# Published settings of students and courses: (hidden, lambda, highest eta, steps).
PUBLISHED = {
    "cs231n/softmax": ((), 2.5e4, 1e-7, 41 * 245),
    "dd2424-1/linear-batch-500": ((), 0.1, 0.04, 100 * 20),
    "dd2424-1/linear-flip-decay-every-15": ((), 0, 0.001, 40 * 490),
    "dd2424-1/linear-flip-decay-every-20": ((), 0.01, 0.005, 40 * 245),
    "dd2424-1/linear-lambda-0-eta-0.001": ((), 0, 0.001, 4000),
    "dd2424-1/linear-lambda-0-eta-0.1": ((), 0, 0.1, 4000),
    "dd2424-1/linear-lambda-0.1-eta-0.001": ((), 0.1, 0.001, 4000),
    "dd2424-1/linear-lambda-0.1-eta-0.01-decay": ((), 0.1, 0.01, 4000),
    "dd2424-1/linear-lambda-1-eta-0.001": ((), 1, 0.001, 4000),
    "dd2424-1/linear-noise-0.1": ((), 0, 0.001, 4000),
    "dd2424-1/linear-sigmoid": ((), 0, 0.001, 4000),
    "dd2424-2/four-layers-100-50-25": ((100, 50, 25), 0.005124, 0.1, 4800),
    "dd2424-2/two-layers-100": ((100,), 0.005124, 0.1, 4800),
    "dd2424-2/two-layers-200": ((200,), 0.0013, 0.1, 5880),
    "dd2424-2/two-layers-400": ((400,), 0.006, 0.1, 5880),
    "dd2424-2/two-layers-400-adam": ((400,), 0.001, 0.001, 5880),
    "dd2424-2/two-layers-400-flip-dropout-0.2": ((400,), 0.001, 0.1, 5880),
    "dd2424-2/two-layers-400-flip-shift": ((400,), 0.001, 0.1, 5880),
    "dd2424-2/two-layers-50": ((50,), 0.005124, 0.1, 4800),
    "dd2424-2/two-layers-500": ((500,), 0.005124, 0.1, 4800),
    "dd2424-2/two-layers-all-data": ((50,), 0.00197229, 0.1, 5880),
    "dd2424-2/two-layers-dropout-0.5": ((50,), 0.005124, 0.1, 4800),
    "dd2424-2/two-layers-noise-0.1": ((50,), 0.005124, 0.1, 4800),
    "dd2424-2/two-layers-one-cycle": ((50,), 0.01, 0.1, 1000),
    "dd2424-2/two-layers-three-cycles": ((50,), 0.01, 0.1, 4800),
    "dd2424-3/five-layers-bn": ((195, 194, 129, 92), 0.00632131, 0.1, 9000),
    "dd2424-3/five-layers-bn-dropout-0.15": ((195, 194, 129, 92), 0.00632131, 0.1, 9000),
    "dd2424-3/five-layers-bn-dropout-0.25": ((195, 194, 129, 92), 0.00632131, 0.1, 9000),
    "dd2424-3/nine-layers": (DEEP, 0.005, 0.1, 9000),
    "dd2424-3/nine-layers-bn": (DEEP, 0.005, 0.1, 9000),
    "dd2424-3/seven-layers-bn": ((80, 70, 60, 50, 40, 30), 0.005623, 0.1, 9000),
    "dd2424-3/three-layers": ((50, 50), 0.005, 0.1, 9000),
    "dd2424-3/three-layers-bn": ((50, 50), 0.005, 0.1, 9000),
    "smai-4/four-layers-128-64-32": ((128, 64, 32), 0, 0.05, 78_200),
    "smai-4/three-layers-512-256": ((512, 256), 0, 0.05, 78_200),
    "smai-4/two-layers-128": ((128,), 0, 0.01, 78_200),
    "smai-4/two-layers-256": ((256,), 0, 0.01, 78_200),
}
# Of them what is no default, and the same in no other field.
SPECIAL = {
    "cs231n/softmax": {"data.test_images": 1000, "data.scaling": "mean_image", "training.batch_size": 200},
    "dd2424-1/linear-flip-decay-every-20": {"training.schedule.decay_every": 20, "data.validation": 1000},
    "dd2424-1/linear-sigmoid": {"training.loss": "binary_cross_entropy"},
    "dd2424-1/linear-noise-0.1": {"data.augment.noise": 0.1},
    "dd2424-2/two-layers-one-cycle": {"network.init": "lecun", "data.train_batches": (1,)},
    "dd2424-2/two-layers-50": {"network.batch_norm": False, "data.validation": 1000},
    "dd2424-2/two-layers-dropout-0.5": {"network.dropout": 0.5},
    "dd2424-2/two-layers-400-flip-shift": {"data.augment.flip": 0.5, "data.augment.shift": 3},
    "dd2424-3/five-layers-bn-dropout-0.15": {"network.dropout": 0.15, "data.validation": 5000},
    "smai-4/two-layers-256": {
        "data.validation": 0, "data.last_batch": "keep", "network.init.hidden": "he",
        "network.init.output": "lecun",
    },
}  # fmt: skip


def shipped(name: str) -> Config:
    return load_config(SHIPPED[name])


def steps(config: Config) -> int:
    schedule = config.training.schedule
    if isinstance(schedule, ConstantConfig):
        return schedule.epochs * (config.data.training_images // config.training.batch_size)
    return 2 * schedule.n_s * schedule.cycles


def opening(path: Path) -> list[str]:
    """The comment that a file begins with, line by line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    end = next(n for n, line in enumerate(lines) if not line.startswith("#"))
    return [line.removeprefix("#").strip() for line in lines[:end]]


def test_all_of_them_are_there() -> None:
    first = {f"report-1/figure-{n}" for n in range(1, 9)} | {"report-1/table-2"}
    second = {f"report-2/figure-{n}" for n in range(1, 17)} | {"report-2/best-model"}
    assert {"quickstart", "report-1/search", "report-2/search"} | first | second <= set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_it_loads_and_is_found_by_its_name(name: str) -> None:
    assert find_config(name) == SHIPPED[name]
    shipped(name)


@pytest.mark.parametrize("name", SHIPPED)
def test_its_runs_are_named_after_it(name: str) -> None:
    assert shipped(name).name == name.replace("/", "-")


@pytest.mark.parametrize("name", SHIPPED)
def test_it_opens_with_what_it_reproduces_what_to_expect_the_time_and_the_command(name: str) -> None:
    comment = opening(SHIPPED[name])
    if match := re.fullmatch(r"report-(\d)/(figure|table)-(\d+)", name):
        report, kind, number = match.groups()
        assert comment[0].startswith(f"Report {report}, {kind} {number}: ")
    words = ["Source", "Expected", "Command"] if name in PUBLISHED else ["Expected", "Time", "Command"]
    found = [line.split(": ")[0] for line in comment if re.match(r"(Source|Expected|Time|Command): ", line)]
    assert found == words
    command = f"search {name}" if shipped(name).search else rf"train {name}( --repeats \d+)?"
    assert re.fullmatch(f"Command: cifarmlp {command}", comment[-1])


@pytest.mark.parametrize("name", [f"report-2/figure-{n}" for n in range(1, 17)])
def test_two_cycles_of_report_2_are_9000_steps(name: str) -> None:
    config = shipped(name)
    assert steps(config) == 9000
    assert (config.training.lam, config.training.batch_size, config.data.training_images) == (
        0.005,
        100,
        49_000,
    )
    assert config.training.optimiser.kind == "sgd"


def test_the_best_model_of_report_2_takes_three_cycles() -> None:
    config = shipped("report-2/best-model")
    assert steps(config) == 13_500
    assert config.training.lam == 0.0035476760480130176
    assert (config.network.hidden, config.network.batch_norm is not None) == ((50, 50), True)
    assert opening(SHIPPED["report-2/best-model"])[-1].endswith("--repeats 20")


@pytest.mark.parametrize("name", [f"report-1/figure-{n}" for n in range(1, 9)])
def test_ten_epochs_of_one_file_are_1000_steps(name: str) -> None:
    config = shipped(name)
    assert steps(config) == 1000
    assert (config.data.train_batches, config.data.validation_batches) == ((1,), (2,))
    assert config.network.init.sigma == 0.001
    assert (config.training.optimiser.kind, config.training.optimiser.rho) == ("momentum", 0.9)


def test_table_2_of_report_1_takes_ten_epochs_of_49000_images() -> None:
    config = shipped("report-1/table-2")
    assert (steps(config), config.data.training_images, config.data.validation) == (4900, 49_000, 1000)
    assert isinstance(config.training.schedule, ConstantConfig)
    assert (config.training.schedule.eta, config.training.lam) == (0.0473, 5.9080e-5)


def test_the_search_of_report_1_draws_pairs_and_then_between_the_best_two() -> None:
    config = shipped("report-1/search")
    assert config.search is not None
    assert config.search.fine is not None
    coarse, fine = config.search.coarse, config.search.fine
    pair = {"training.schedule.eta", "training.lambda"}
    assert (coarse.trials, set(coarse.space), fine_trials(fine), set(fine.space)) == (100, pair, 100, pair)
    assert coarse.space["training.schedule.eta"].log_uniform == (1e-3, 1e1)
    assert coarse.space["training.lambda"].log_uniform == (1e-5, 1)
    assert fine.centres == 2
    assert all(around.between_best for around in fine.space.values())
    assert config.training == shipped("report-1/figure-1").training


def test_the_search_of_report_2_draws_lambda_and_then_around_the_best_three() -> None:
    config = shipped("report-2/search")
    assert config.search is not None
    assert config.search.fine is not None
    coarse, fine = config.search.coarse, config.search.fine
    assert (coarse.trials, fine_trials(fine), fine.centres) == (50, 150, 3)
    assert coarse.space["training.lambda"].log_uniform == (1e-5, 1e-1)
    assert fine.space["training.lambda"].uniform_within == 0.001 / 4
    assert config.training == shipped("report-2/figure-3").training


def test_the_quickstart_is_short_and_needs_no_download() -> None:
    config = shipped("quickstart")
    assert steps(config) == 2000
    assert config.data.source == "synthetic"


@pytest.mark.parametrize(("number", "hidden", "norm"), [(1, (50, 30), True), (2, (50, 30), False)])
def test_figures_1_and_2_of_report_1(number: int, hidden: tuple[int, ...], norm: bool) -> None:
    config = shipped(f"report-1/figure-{number}")
    assert (config.network.hidden, config.network.batch_norm is not None) == (hidden, norm)
    assert isinstance(config.training.schedule, ConstantConfig)
    assert (config.training.schedule.eta, config.training.schedule.decay) == (0.01, 0.95)


@pytest.mark.parametrize("number", range(3, 9))
def test_figures_3_to_8_of_report_1(number: int) -> None:
    config = shipped(f"report-1/figure-{number}")
    assert isinstance(config.training.schedule, ConstantConfig)
    assert config.training.schedule.eta == (1e-4, 1e-2, 1.0)[(number - 3) // 2]
    assert (config.network.batch_norm is not None) == (number % 2 == 1)
    assert (config.network.hidden, config.training.lam) == ((50,), 1e-5)


@pytest.mark.parametrize("number", range(1, 5))
def test_figures_1_to_4_of_report_2(number: int) -> None:
    network = shipped(f"report-2/figure-{number}").network
    assert network.hidden == ((50, 50) if number % 2 else DEEP)
    assert (network.batch_norm is not None) == (number > 2)
    assert network.init.kind == "he"


@pytest.mark.parametrize(("number", "setting"), list(enumerate(GRID, start=5)))
def test_figures_5_to_16_of_report_2(number: int, setting: tuple[float, tuple[int, ...], bool]) -> None:
    network = shipped(f"report-2/figure-{number}").network
    assert (network.init.sigma, network.hidden, network.batch_norm is not None) == setting


@pytest.mark.parametrize(("name", "setting"), PUBLISHED.items())
def test_a_published_setting(name: str, setting: tuple[tuple[int, ...], float, float, int]) -> None:
    config = shipped(name)
    schedule = config.training.schedule
    eta = getattr(schedule, schedule.rates[-1])
    assert (config.network.hidden, config.training.lam, eta, steps_of(config)) == setting
    values = dotted(config)
    assert {key: values.get(key) for key in SPECIAL.get(name, {})} == SPECIAL.get(name, {})


@pytest.mark.parametrize("study", ["dd2424-1", "dd2424-2", "dd2424-3", "smai-4"])
def test_each_published_setting_is_an_experiment_of_its_study(study: str) -> None:
    loaded = load_study(shipped_studies()[study])
    named = [each.config for section in loaded.study.sections for each in section.experiments]
    assert sorted(map(str, named)) == [name for name in PUBLISHED if name.startswith(f"{study}/")]
    reported = [each.reported for section in loaded.study.sections for each in section.experiments]
    assert all(each.accuracy[2] is not None for each in reported)
    for name, each in zip(named, reported, strict=True):  # the file says the same
        comment = " ".join(opening(SHIPPED[str(name)]))
        numbers = [number for number in (*each.accuracy, *each.loss, each.f1) if number is not None]
        assert [float(word) for word in re.findall(r"\d\.\d{4}", comment)] == numbers
