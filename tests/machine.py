"""A machine of its own for tests that run whole studies: a folder of runs, one of reports and a study file, and the
smallest study that has every phase, on the data that all tests share."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd

from xlt_utils import paths

STUDY = (Path(__file__).parents[1] / "params" / "tiny.yaml").read_text(encoding="utf-8")
STUDY = STUDY.replace("tokens: [0, 30k]", "tokens: [0]").replace("examples: [64, 256]", "examples: [64]")


class Machine:
    """A machine of its own: runs, reports and study file below a folder, the data shared."""

    def __init__(self, folder: Path):
        self.folder = folder
        (folder / "runs").mkdir(parents=True)
        paths.RUNS.mkdir(exist_ok=True)
        (paths.RUNS / "data").mkdir(exist_ok=True)
        (folder / "runs" / "data").symlink_to(paths.RUNS / "data")
        self.published = folder / "report" / "tiny"
        self.grown = pd.DataFrame()  # the values on its page of two seeds

    def xlt(self, *command: str, code: int = 0) -> str:
        environment = os.environ | {"XLT_RUNS": f"{self.folder}/runs", "XLT_REPORT": f"{self.folder}/report"}
        done = subprocess.run(
            [Path(sys.executable).parent / "xlt", *command],
            capture_output=True,
            text=True,
            env=environment,
            cwd=self.folder,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def study(self, seeds: str, *changes: tuple[str, str]) -> str:
        text = STUDY.replace("seeds: [0]", f"seeds: {seeds}")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (self.folder / "tiny.yaml").write_text(text)
        return str(self.folder / "tiny.yaml")

    def executed(self) -> set[str]:
        """The cells that ran here, as `target s0-p0-...`: an archive holds no notebooks."""
        found = (self.folder / "runs" / "tiny").glob("[pit]*/*/attempts/*/executed.ipynb")
        return {f"{path.parents[3].name} {path.parents[2].name[:-9]}" for path in found}

    def values(self) -> pd.DataFrame:
        table = pd.read_parquet(self.published / "results.parquet").drop(columns="folder")
        return table.sort_values([*table.columns]).reset_index(drop=True)

    def words(self) -> str:
        """What the page says before its tables of time and cost."""
        page = (self.published / "index.html").read_text(encoding="utf-8")
        return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page[page.index('id="said"') : page.index('id="figures"')]))
