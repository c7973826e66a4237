"""What all tests share: run and report folders of their own, one thread, and one small microworld."""

import os
import runpy
import tempfile
from pathlib import Path

# Before anything imports xlt_utils: tests never write into the project's own runs/ and report/.
_folder = tempfile.mkdtemp(prefix="xlt-tests-")
os.environ["XLT_RUNS"], os.environ["XLT_REPORT"] = f"{_folder}/runs", f"{_folder}/report"
os.environ["XLT_HUB"] = f"{_folder}/hub"
# Every Python process from here on says so where it asks for another machine (loopback/sitecustomize.py).
os.environ["XLT_TESTS_LEFT"] = f"{_folder}/left.txt"
_watched = str(Path(__file__).with_name("loopback"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [_watched, os.environ.get("PYTHONPATH")]))
os.environ |= {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}

import pytest  # noqa: E402
from world_settings import WORLD  # noqa: E402

runpy.run_path(f"{_watched}/sitecustomize.py")  # this process is running already


@pytest.fixture(scope="session", autouse=True)
def loopback_alone():
    """Nothing that a test does, in whatever process, leaves this machine."""
    yield
    left = Path(os.environ["XLT_TESTS_LEFT"])
    assert not left.exists(), left.read_text()


@pytest.fixture(scope="session")
def world() -> str:
    """A small microworld, written once: the folder as `data` names it."""
    from xlt_utils.data import loading

    return loading.locate("microworld", WORLD)


@pytest.fixture(scope="session")
def vocabulary(world):
    """A vocabulary of that world's English and its nearest and farthest language."""
    from xlt_utils.training import tokenization

    return tokenization.study_vocabulary(world, ["en", "xa", "xh"], size=1_000, sample_lines=2_000, exponent=0.3)


@pytest.fixture(scope="session")
def checkpoint(vocabulary, tmp_path_factory):
    """The folder of a two-layer encoder with random weights and that vocabulary."""
    from xlt_utils.training import encoders

    folder = tmp_path_factory.mktemp("encoder")
    shape = {"layers": 2, "width": 32, "heads": 2, "vocabulary": len(vocabulary.tokenizer), "length": 64}
    encoders.save_encoder(
        encoders.create_encoder(encoders.make_config("modernbert", **shape), seed=0), vocabulary.tokenizer, folder
    )
    return folder
