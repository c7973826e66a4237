"""params/tiny.yaml with one size a phase, for a cluster: the phases' own notebooks and real training in four cells,
which wait where a test says, and a terminal that can be closed."""

import fcntl
import json
import os
import pty
import select
import subprocess
import sys
import termios
import threading
from pathlib import Path

from tiny_notebooks import write_notebook

ROOT = Path(__file__).parents[1]
XLT = Path(sys.executable).with_name("xlt")
CUTS = {"tokens: [0, 30k]": "tokens: [30k]", "examples: [64, 256]": "examples: [64]"}
HOLD = "XLT_TEST_HOLD"  # a folder: a cell waits as long as there is a file with the name of its phase
HELD_AT = 40  # of the 58 steps of pretraining
WAIT = f"""import os, time
def hold(phase):
    while os.path.exists(os.path.join(os.environ.get("{HOLD}", os.devnull), phase)):
        time.sleep(0.1)"""
# Pretraining waits in the middle, saves as often as it can, and writes down each batch that it asks for.
WATCHED = f"""def watched(step, batch_at=batch_at):
    if step == {HELD_AT}:
        hold("pretrain")
    with open(state.parent / "steps.txt", "a") as file:
        print(os.environ.get("SLURM_JOB_ID", ""), step, file=file)
    return batch_at(step)
"""
TRAIN = "curve = loop.train(objective, batch_at, rate_schedule,"
PAGE = """from pathlib import Path
from xlt_utils.records import record
Path(report).mkdir(parents=True, exist_ok=True)
Path(report, "index.html").write_text(f'<meta name="shows" content="{Path(out).name[-8:]}">')
names = dict(study=study, runs=runs, cells=cells, missing=missing, out=out, report=report)
record.write_record(out, "report", names, coordinates=None, results=[])"""


def write(folder: Path, world: str) -> Path:
    """Write the study file, on the data of a small microworld, and its notebooks. The report's only says that it ran:
    it runs where `xlt run` does, on a cluster too."""
    study = (ROOT / "params" / "tiny.yaml").read_text(encoding="utf-8")
    study = "".join(line for line in study.splitlines(keepends=True) if not line.startswith("microworld:"))
    for old, new in (*CUTS.items(), ("data: microworld", f"data: {json.dumps(world)}")):
        assert old in study
        study = study.replace(old, new)
    folder.mkdir()
    (folder / "tiny.yaml").write_text(study, encoding="utf-8")
    (folder / "notebooks").mkdir()
    for number, phase in enumerate(("pretrain", "intermediate", "target"), 1):
        name = f"0{number}_{phase}.ipynb"
        notebook = json.loads((ROOT / "notebooks" / name).read_text(encoding="utf-8"))
        cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
        first = next(cell for cell in cells if "parameters" not in cell["metadata"].get("tags", []))
        first["source"] = [f"{WAIT}\n", *first["source"]]
        if phase == "pretrain":
            training = next(cell for cell in cells if TRAIN in "".join(cell["source"]))
            source = "".join(training["source"])
            saving = TRAIN.replace("batch_at", "watched") + " save_seconds=0.0,"
            training["source"] = source.replace(TRAIN, WATCHED + saving).splitlines(keepends=True)
        else:
            first["source"].append(f'\nhold("{phase}")')
        (folder / "notebooks" / name).write_text(json.dumps(notebook), encoding="utf-8")
    declared = "\n".join(f"{name} = None" for name in ("study", "runs", "cells", "missing", "out", "report"))
    write_notebook(folder / "notebooks" / "04_report.ipynb", PAGE, parameters=declared)
    return folder / "tiny.yaml"


def place(folder: Path, runs: str = "runs") -> dict[str, str]:
    """The environment in which runs, report and notebooks of the study lie in the folder."""
    names = {"XLT_RUNS": runs, "XLT_REPORT": f"report-of-{runs}", "XLT_NOTEBOOKS": "notebooks"}
    return os.environ | {name: str(folder / below) for name, below in names.items()}


class Terminal:
    """A terminal with a command in its foreground. Closing it is what closes a window or a connection: the kernel sends
    SIGHUP, and whatever the command still says goes nowhere."""

    def __init__(self, command: list[str | Path], environment: dict[str, str]):
        self.master, slave = pty.openpty()
        self.shown, self.is_closed = b"", threading.Event()

        def take() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True, preexec_fn=take
        )
        os.close(slave)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        try:
            while not self.is_closed.is_set():
                if select.select([self.master], [], [], 0.2)[0]:
                    self.shown += os.read(self.master, 4096)
        except OSError:  # closed from the other side
            pass
        os.close(self.master)  # here: a descriptor that another thread reads stays open

    def close(self, seconds: float = 120) -> int:
        """Close the window; returns the exit code of what ran in it."""
        self.is_closed.set()
        return self.process.wait(seconds)
