"""A Snakemake profile: where cells run, and how many at a time. The name of a folder of workflow/profiles, or the path
of another, goes in; what `xlt run` needs to know of it comes out. Snakemake itself reads all the rest."""

import importlib.util
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML, YAMLError

from xlt_utils import paths
from xlt_utils.errors import Fault, did_you_mean

PACKAGED = paths.SHIPPED / "workflow" / "profiles"
SLURM_PLUGIN = "snakemake_executor_plugin_slurm"
# What does not pass the plugin's two shells: it puts paths between quotes, and leaves Python's bare
BAD_IN_PATHS = re.compile(r"""["$`\\%\n]""")
BAD_IN_PYTHON = re.compile(r"""["$`\\%\s'&;|<>()*?#!~\[\]{}]""")


@dataclass(frozen=True)
class Profile:
    """A profile's folder, the executor that it names, and its `jobs`, None where this machine's cores decide."""

    folder: Path
    executor: str
    jobs: int | None

    @property
    def is_local(self) -> bool:
        """Whether cells run on this machine."""
        return self.executor == "local"

    @property
    def is_slurm(self) -> bool:
        """Whether cells are jobs of a Slurm cluster."""
        return self.executor == "slurm"


def read_profile(name: str) -> Profile:
    """Read a profile. Raises Fault where it is none, or cannot work."""
    folder = next((place for place in (PACKAGED / name, Path(name)) if place.is_dir()), None)
    if folder is None:
        names = sorted(place.name for place in PACKAGED.iterdir() if place.is_dir())
        raise Fault(f"--profile {name}: no such profile, and no such folder; {did_you_mean(name, names)}")
    file = folder / "config.yaml"
    try:
        content = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except (OSError, YAMLError, UnicodeDecodeError) as error:
        raise Fault(f"{file}: cannot be read as a Snakemake profile: {error}") from None
    content = content if isinstance(content, dict) else {}
    executor, jobs = content.get("executor", "local"), content.get("jobs")
    if executor != "local" and not (isinstance(jobs, int) and jobs > 0):
        raise Fault(
            f"{file}: `jobs:` has to say how many jobs may be in the queue at a time, such as 100, not {jobs!r}"
        )
    if executor == "slurm" and not importlib.util.find_spec(SLURM_PLUGIN):
        install = "make install" if paths.IS_CLONE else "pip install 'xlt-utils[slurm]'"
        raise Fault(f"{file}: Snakemake needs its plugin for Slurm: `{install}`")
    if executor == "slurm":
        _check_paths()
    return Profile(folder.absolute(), executor, None if executor == "local" else jobs)


def _check_paths() -> None:
    """Raise Fault where a path has what Snakemake's plugin for Slurm breaks: its jobs would die, or write elsewhere."""
    places = [("the project", paths.ROOT, BAD_IN_PATHS), ("XLT_RUNS", paths.RUNS, BAD_IN_PATHS)]
    for name, path, bad in (*places, ("Python", sys.executable, BAD_IN_PYTHON)):
        if match := bad.search(str(path)):
            raise Fault(
                f"--profile slurm: the path of {name}, {path}, has a {match[0]!r}, which Snakemake's plugin for Slurm "
                "does not bring to a job; nothing was submitted: move it to a folder whose path has none"
            )
