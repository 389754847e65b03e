"""A cache of the tests' own, so that they neither need nor touch the user's."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["CIFARMLP_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["CIFARMLP_THREADS"] = "1"
