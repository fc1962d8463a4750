"""A data folder for embedded servers, removed with whatever still uses it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.reaping import clear


@pytest.fixture
def data() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="hr-test-"))
    folder.chmod(0o711)  # as a clone's usually is; a closed one has a test of its own
    yield folder
    clear(folder)
    assert not folder.exists()
