"""A new study: a study file to change, and a README that says what to do with it. A folder and the name of an example
go in; the two files come out."""

import os
import re
from pathlib import Path

from xlt_utils import paths
from xlt_utils.errors import Fault, did_you_mean
from xlt_utils.study.study_file import load_study

EXAMPLES = paths.SHIPPED / "params"
DEFAULT_EXAMPLE = "demo"
NAME = re.compile(r"[a-z0-9][a-z0-9_+-]*")
README = """# {name}

A study of zero-shot cross-lingual transfer over two sizes: tokens of pretraining text (P) and English examples of an
intermediate task (I). `study.yaml` is the whole of it, begun from the example `{example}`; its comments say what each
setting is. Change it and repeat `xlt run`: only what depends on the change runs again.

```sh
xlt check {file}     # finds what could fail later: the file, the data, the sizes
xlt plan {file}      # what will run, and what it takes: cells, tokens, time, disk
xlt run {file}       # runs what is missing, then the report; safe to stop and to repeat
xlt status {file}    # what is done, running, failed and missing
xlt explore {file}   # opens the results in JupyterLab
xlt publish {file}   # keeps the records beside the page, so that anyone renders it again
```

The page is `report/{name}/index.html`, the runs are below `runs/{name}`, both in the folder where `xlt` is called (for
a clone of the project, in the clone): call it in the same folder every time. Paths in `study.yaml` count from there.

`xlt init FOLDER --example NAME` begins a study from another example:
{examples}.
"""


def example_names() -> list[str]:
    """The example studies that come with the package."""
    return sorted(path.stem for path in EXAMPLES.glob("*.yaml"))


def write_study(folder: str | Path, example: str = DEFAULT_EXAMPLE) -> Path:
    """Write `study.yaml`, a copy of an example, and `README.md` into a folder, which gives the study its name; return
    the path of the study file.

    Raises:
        Fault: no such example, no name for a study, or a study of that name is here already; nothing was written.
    """
    folder = Path(os.path.abspath(folder))
    name, file = folder.name, folder / "study.yaml"
    if example not in (examples := example_names()):
        raise Fault(f"--example {example}: no such example; {did_you_mean(example, examples)}")
    if not NAME.fullmatch(name):
        raise Fault(f"{folder}: {name!r} is no name for a study; small letters, digits, `_`, `+` and `-` are: my-study")
    taken = [folder / "README.md", file, paths.RUNS / name, paths.REPORTS / name]
    if there := [path for path in taken if path.exists()]:
        raise Fault(f"{paths.relative(there[0])}: there already; another name begins another study")
    text = (EXAMPLES / f"{example}.yaml").read_text(encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(re.sub(r"(?m)^name: \S+", f"name: {name}", text, count=1), encoding="utf-8")
    load_study(file)
    parts = {"name": name, "example": example, "file": paths.relative(file), "examples": ", ".join(examples)}
    (folder / "README.md").write_text(README.format(**parts), encoding="utf-8")
    return file
