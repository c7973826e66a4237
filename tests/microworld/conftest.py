"""What the microworld's tests share: one small world in all languages, and a way to read its data sets."""

from pathlib import Path

import datasets
import pytest

from xlt_utils import microworld


@pytest.fixture(scope="session")
def mirror(tmp_path_factory) -> Path:
    """The folder of a small world in all languages."""
    return microworld.write(tmp_path_factory.mktemp("mirror") / "world", seed=3, sentences=3000, bilingual=0.1)


@pytest.fixture(scope="session")
def load(mirror, tmp_path_factory):
    """Reads a split as the study does, with a separate cache: `datasets` takes two folders of one name for the same."""
    cache = str(tmp_path_factory.mktemp("cache"))

    def read(dataset: str, config: str, split: str) -> datasets.Dataset:
        return datasets.load_dataset(str(mirror / dataset), config, split=split, cache_dir=cache)

    return read
