"""map_unordered on a Dask cluster of real processes on this machine, some of which are killed."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from helpers import worker_functions
from helpers.command import TESTS
from helpers.dask import Dask
from helpers.worker_functions import numbered, numbers

from cifarmlp.errors import CifarmlpError, ConfigError, DataError
from cifarmlp.parallel import Lost, cluster, connect, map_unordered

SEVEN = {number: number for number in range(7)}


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[Dask]:
    started = Dask(tmp_path)
    yield started
    started.end()


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """A cluster of two workers, for tests that harm none."""
    started = Dask(tmp_path_factory.mktemp("steady"))
    started.add_workers(2)
    yield started
    started.end()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


def test_all_items_are_done_by_all_workers(steady, capfd):
    with connect(steady.address) as client:
        pairs = list(map_unordered(worker_functions.own_process, range(8), cluster=client))
    assert sorted(item for item, _ in pairs) == list(range(8))
    assert {pid for _, pid in pairs} == {worker.pid for worker in steady.workers}
    assert capfd.readouterr() == ("", "")


def test_items_are_begun_in_the_order_given_or_nearly(steady, log):
    with connect(steady.address) as client:
        list(map_unordered(worker_functions.in_a_moment, numbered(log, 16), cluster=client))
    assert all(abs(place - number) < 6 for place, number in enumerate(worker_functions.noted(log)))


def test_what_the_function_raises_goes_up_and_the_rest_is_let_go(steady, log):
    started = time.monotonic()
    with connect(steady.address) as client:
        with pytest.raises(ValueError, match="one is not liked"):
            list(map_unordered(worker_functions.fails_at_once, numbered(log, 40), cluster=client))
        with pytest.raises(TimeoutError, match="the function's own"):
            list(map_unordered(worker_functions.times_out, [1], cluster=client))
    assert time.monotonic() - started < 10


def test_an_error_of_ours_says_which_worker_speaks(steady):
    words = r"^the worker at tcp://127\.0\.0\.1:\d+: runs: no images there$"
    with connect(steady.address) as client, pytest.raises(DataError, match=words):
        list(map_unordered(worker_functions.lacks_images, [1], cluster=client))


@pytest.mark.parametrize(
    ("function", "result"),
    [(worker_functions.forgets_once, 1), (worker_functions.forgets_always, Lost("it ran out of memory"))],
)
def test_an_item_that_runs_out_of_memory_is_tried_twice(steady, function, result, log):
    with connect(steady.address) as client:
        assert numbers(map_unordered(function, numbered(log, 7), cluster=client)) == {**SEVEN, 1: result}
    assert sorted(worker_functions.noted(log)) == [0, 1, 1, 2, 3, 4, 5, 6]


@pytest.mark.slow
def test_once_told_to_stop_the_iteration_ends_and_the_workers_are_free(steady, log):
    stopped, ticks = [], []
    started = time.monotonic()
    with connect(steady.address) as client:
        pairs = map_unordered(
            worker_functions.in_a_second,
            numbered(log, 40),
            cluster=client,
            stop=lambda: len(stopped),
            tick=lambda: ticks.append(0),
        )
        for _ in pairs:
            if len(worker_functions.noted(log)) > 4:
                stopped.append(15)
        assert dict(map_unordered(worker_functions.double, [1, 2], cluster=client)) == {1: 2, 2: 4}
        time.sleep(2)  # for what the workers had in hand
        begun = len(worker_functions.noted(log))
        time.sleep(2)
        assert len(worker_functions.noted(log)) == begun < 12
    assert ticks
    assert time.monotonic() - started < 15


@pytest.mark.slow
def test_the_items_of_a_worker_that_is_killed_go_to_another(dask, log, capfd):
    dask.add_workers(2)
    with connect(dask.address) as client:
        pairs = map_unordered(worker_functions.in_a_second, numbered(log, 4), cluster=client)
        first = next(pairs)
        time.sleep(0.3)  # both have begun another one
        dask.kill_worker()
        assert numbers([first, *pairs]) == {0: 0, 1: 1, 2: 2, 3: 3}
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_an_answer_that_dies_with_its_worker_is_worked_out_again(dask, log, monkeypatch):
    monkeypatch.setattr(cluster, "GATHER", 0.3)
    dask.add_workers(2)
    with connect(dask.address) as client:
        pairs = map_unordered(worker_functions.in_a_second, numbered(log, 3), cluster=client)
        first = next(pairs)
        time.sleep(1.5)  # all are done, and nobody has asked for the answers
        dask.kill_worker()
        assert numbers([first, *pairs]) == {0: 0, 1: 1, 2: 2}
    assert len(worker_functions.noted(log)) > 3


@pytest.mark.slow
def test_an_item_that_kills_its_workers_is_lost_and_the_others_are_done(dask, log):
    dask.add_workers(5)  # two of them die in each of two tries
    with connect(dask.address) as client:
        pairs = numbers(map_unordered(worker_functions.dies_on_one, numbered(log, 7), cluster=client))
    assert pairs == {**SEVEN, 1: Lost("2 workers died over it")}
    assert worker_functions.noted(log).count(1) == 4


LOST = """
import sys, time
from pathlib import Path
from helpers import worker_functions
from cifarmlp import errors, parallel
from cifarmlp.parallel import client as clients
clients.CONNECT = 1.0
client = parallel.connect(sys.argv[1])
items = [(Path(sys.argv[2]), number) for number in range(7)]
try:
    list(parallel.map_unordered(worker_functions.in_a_second, items, cluster=client))
except errors.CifarmlpError as error:
    print(error, flush=True)
time.sleep(2)  # by then the client has given up looking for it
"""


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_one_line(dask, log):
    dask.add_workers(1)
    command = [sys.executable, "-c", LOST, dask.address, log]
    env = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(
        command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while len(worker_functions.noted(log)) < 2:
            time.sleep(0.05)
        dask.scheduler.kill()
        assert process.communicate(timeout=60) == (
            "the Dask scheduler was lost; see there whether it runs\n",
            "",
        )


@pytest.mark.slow
def test_workers_that_are_gone_are_waited_for_and_not_for_ever(dask, log, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 2)
    dask.add_workers(1)
    with connect(dask.address) as client:
        pairs = map_unordered(worker_functions.in_a_second, numbered(log, 3), cluster=client)
        first = next(pairs)
        dask.kill_worker()
        dask.add_workers(1)
        assert numbers([first, *pairs]) == {0: 0, 1: 1, 2: 2}
        pairs = map_unordered(worker_functions.slowly, [(log, 9)], cluster=client)
        dask.kill_worker()
        with pytest.raises(CifarmlpError, match="no workers"):
            list(pairs)


def refusal(address: str) -> str:
    started = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        connect(address)
    assert time.monotonic() - started < 10
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("address", ["", "nowhere", "http://127.0.0.1:8786", "127.0.0.1:port", "tcp://["])
def test_a_malformed_address_is_refused(address):
    assert refusal(address).startswith(f"{address!r} is no address of a Dask scheduler")


def test_tls_without_certificates_is_refused():
    assert refusal("tls://127.0.0.1:8786").startswith("tls://127.0.0.1:8786: TLS needs certificates")


def test_an_address_where_nobody_listens_is_refused(capfd):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = "127.0.0.1:{1}".format(*closed.getsockname())
    assert refusal(address) == f"{address}: no Dask scheduler answers; start one there: dask scheduler"
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_an_address_where_something_else_listens_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "no Dask scheduler answers" in refusal("127.0.0.1:{1}".format(*silent.getsockname()))


def test_the_address_of_a_worker_is_refused(steady):
    with connect(steady.address) as client:
        worker = next(iter(client.nthreads()))
    assert refusal(worker) == f"{worker}: a Dask worker answers; give the address of its scheduler"


@pytest.mark.slow
def test_a_cluster_without_workers_is_refused(dask):
    assert "start some with: dask worker tcp://127.0.0.1:" in refusal(dask.address)


def test_a_missing_dask_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert refusal("127.0.0.1:8786") == "a cluster needs Dask: pip install 'cifarmlp[cluster]'"


OTHERS: dict[str, tuple[str, str]] = {
    "another cifarmlp": ("import cifarmlp; cifarmlp.__version__ = '9.9'", "cifarmlp 9.9 but this process"),
    "another NumPy": ("import numpy; numpy.__version__ = '1.26.0'", "NumPy 1.26.0 but this process"),
    "no cifarmlp": ("import sys; sys.modules['cifarmlp'] = None", "cannot load cifarmlp"),
    "another Python": (
        "from distributed import versions; info = versions.get_system_info()\n"
        "versions.get_system_info = lambda: {**info, 'python': '3.10.2.final.0'}",
        "Python 3.10 but this process",
    ),
}


@pytest.mark.parametrize("other", OTHERS)
def test_a_worker_whose_results_would_differ_is_refused(other, dask):
    code, words = OTHERS[other]
    (dask.folder / "other.py").write_text(code)
    dask.add_workers(1, "--preload", "other.py")
    message = refusal(dask.address)
    assert words in message
    assert message.startswith("tcp://127.0.0.1:")
    assert "install" in message


def test_other_versions_that_change_no_result_are_not_spoken_of(dask):
    (dask.folder / "other.py").write_text(
        "from distributed import versions; info = versions.get_package_info\n"
        "versions.get_package_info = lambda names, info=info: {**info(names), 'toolz': '0.1'}"
    )
    dask.add_workers(1, "--preload", "other.py")
    with connect(dask.address) as client:  # a warning would be an error here
        assert list(map_unordered(worker_functions.double, [1], cluster=client)) == [(1, 2)]
