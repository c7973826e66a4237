"""A Slurm cluster of one machine, for tests: Debian's munged, slurmctld and slurmd on loopback, all that they write in
one folder. It needs neither root, nor cgroups, nor a database, and leaves a Slurm that the machine has alone."""

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
MISSING = "no {} on this machine: no study ran under Slurm (Debian: apt-get install slurm-wlm munge)"
# Debian keeps daemons where the search path of an ordinary user does not reach.
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
CONFIGURATION = """ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=1
MpiDefault=none
ReturnToService=2
KillWait=2
JobCompType=jobcomp/filetxt
JobCompLoc={folder}/ended.txt
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=64000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
WRITE_SECONDS = 6.5  # until the controller has surely written what has changed, and the second that it sleeps meanwhile
SRUN = """#!/bin/sh
SLURM_CONF={configuration} exec {srun} "$@"
"""


def missing_daemon() -> str | None:
    """The first of the daemons that is not installed."""
    return next((name for name in DAEMONS if not shutil.which(name, path=PLACES)), None)


class Cluster:
    """The cluster as a context; `environment` is what leads Slurm's commands to it.

    Args:
        folder: an empty folder with a short path: a socket's may have 107 bytes.
        cores: how many the node says it has, whatever it has.
    """

    def __init__(self, folder: Path, cores: int = 4):
        self.folder, self.cores = folder, cores
        self.daemons: dict[str, subprocess.Popen] = {}
        self.environment = {"SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{folder / 'bin'}{os.pathsep}{PLACES}"}

    def __enter__(self) -> "Cluster":
        for name in ("state", "spool", "private"):
            (self.folder / name).mkdir(mode=0o700)
        # Snakemake's plugin takes SLURM_CONF away from the steps of a job
        (self.folder / "bin").mkdir()
        srun = self.folder / "bin" / "srun"
        srun.write_text(SRUN.format(configuration=self.environment["SLURM_CONF"], srun=shutil.which("srun")))
        srun.chmod(0o755)
        self.folder.chmod(0o755)  # munged refuses a socket that not everyone reaches
        key = self.folder / "private" / "munge.key"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        names = {"folder": self.folder, "host": socket.gethostname().split(".")[0], "user": getpass.getuser()}
        names |= {"controller": free_port(), "node": free_port(), "cores": self.cores}
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(**names))
        try:
            files = {"key-file": key, "socket": self.folder / "munge.socket"}
            files |= {name: self.folder / "private" / name for name in ("pid-file", "log-file", "seed-file")}
            self._start("munged", "--foreground", *(f"--{name}={path}" for name, path in files.items()))
            wait_for((self.folder / "munge.socket").exists)
            self._start("slurmctld", "-D")
            self._start("slurmd", "-D")
            wait_for(lambda: self.slurm("sinfo", "--noheader", "--format=%T").startswith("idle"))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if len(self.daemons) == len(DAEMONS):
            subprocess.run(
                ["scancel", "--user", getpass.getuser()], env=os.environ | self.environment, capture_output=True
            )
            deadline = time.time() + 20
            while self.slurm("squeue", "--noheader") and time.time() < deadline:
                time.sleep(0.2)
        for daemon in reversed(self.daemons.values()):
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()

    def _start(self, name: str, *options: str) -> None:
        with open(self.folder / f"{name}.log", "ab") as log:
            command = [shutil.which(name, path=PLACES), *options]
            self.daemons[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | self.environment
            )

    @contextmanager
    def without_controller(self) -> Iterator[None]:
        """A while in which slurmctld is dead, by SIGKILL; what it had written is where the next one begins. It writes
        every five seconds at most; one that dies sooner forgets the newest jobs, and gives their numbers again."""
        time.sleep(WRITE_SECONDS)
        self.daemons["slurmctld"].kill()
        self.daemons["slurmctld"].wait()
        yield
        self._start("slurmctld", "-D")
        wait_for(lambda: self.slurm("sinfo", "--noheader", "--format=%T").startswith(("idle", "mix", "alloc")))

    def ended(self, name: str) -> list[dict[str, str]]:
        """The jobs that are over and whose names begin so, from the controller's list of them, in Slurm's own words."""
        rows = [dict(word.partition("=")[::2] for word in line.split()) for line in self._read_ended().splitlines()]
        return [row for row in rows if row["Name"].startswith(name)]

    def _read_ended(self) -> str:
        file = self.folder / "ended.txt"
        return file.read_text(encoding="utf-8") if file.exists() else ""

    def slurm(self, *command: str) -> str:
        """What a command of Slurm prints; its complaints too."""
        done = subprocess.run(command, env=os.environ | self.environment, capture_output=True, text=True, timeout=60)
        return (done.stdout + done.stderr).strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, seconds: float = 30) -> None:
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, f"the cluster is not up after {seconds} seconds"
        time.sleep(0.1)
