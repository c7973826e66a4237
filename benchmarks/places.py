"""Where a benchmark works: in a temporary folder, on two CPU threads, without a network. Import this module before
torch and xlt_utils, which read these settings when they are imported."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

THREADS = 2
FOLDER = Path(os.environ.get("XLT_BENCHMARK") or tempfile.mkdtemp(prefix="xlt-benchmark-"))

if "XLT_BENCHMARK" not in os.environ:  # child processes find it set and work in the same folder
    atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)
    os.environ |= {"XLT_BENCHMARK": str(FOLDER), "XLT_RUNS": str(FOLDER / "runs"), "XLT_LOCAL": str(FOLDER / "local")}
    os.environ |= {"OMP_NUM_THREADS": str(THREADS), "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    os.environ |= {"HF_DATASETS_DISABLE_PROGRESS_BARS": "1", "TRANSFORMERS_VERBOSITY": "error"}
    os.environ |= {"HF_HOME": str(FOLDER / "hub"), "TORCHINDUCTOR_CACHE_DIR": str(FOLDER / "compiled")}
