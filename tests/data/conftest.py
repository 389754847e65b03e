"""Files that several tests read and none changes."""

from pathlib import Path

import pytest
from helpers.cifar10_files import write_every_form


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both batches folders and both archives, of random images."""
    place = tmp_path_factory.mktemp("cifar10")
    write_every_form(place)
    return place
