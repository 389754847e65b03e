"""A cache of the tests' own, so that they neither need nor touch the user's, and one BLAS thread each."""

import os

import pytest

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: tests side by side share the cores
os.environ["CIFARMLP_THREADS"] = "1"
collect_ignore = ["helpers", "stress.py"]  # no tests, and not to be imported for doctests


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent  # of all workers
    os.environ["CIFARMLP_CACHE"] = str(place / "cache")
