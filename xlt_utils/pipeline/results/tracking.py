"""A study's records as runs of an MLflow tracking server, for a lab that looks at all its work there. Records go in; an
experiment with a run a cell comes out, with its settings, learning curves and scores. Only done cells are sent, after
they are done: no training knows of it. What is there already is not sent again."""

import importlib
import os
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import Any

from xlt_utils import paths
from xlt_utils.errors import Fault
from xlt_utils.records.record import Record
from xlt_utils.reporting.findings import Findings

INSTALL = "pip install -c constraints.txt -e '.[track]'"
IDENTITY = "xlt.record"  # the tag by which a run is known again
MOST_METRICS, MOST_PARAMETERS, MOST_LETTERS = 1000, 100, 6000  # that MLflow takes at once; letters of a parameter
FORBIDDEN = re.compile(r"[^\w\-. :/]")  # in MLflow's names


class CannotTrack(Fault):
    """MLflow is not installed, or its server does not answer."""


def default_server() -> str:
    """Where runs go: what MLFLOW_TRACKING_URI names, else a file beside the runs."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{paths.RUNS / 'mlflow.db'}"


def track(findings: Findings, server: str | None = None) -> tuple[int, int, str]:
    """Send a study's records.

    Args:
        findings: the study's.
        server: as MLflow writes it, `sqlite:////folder/file.db` or `http://host:5000`; None for `default_server`.

    Returns:
        How many runs were sent, how many were there before, and the server.

    Raises:
        CannotTrack: MLflow is not installed, or does not take the runs.
    """
    server = server or default_server()
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"  # which would tell its makers what is called here
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    try:
        mlflow = importlib.import_module("mlflow")
    except ImportError as error:
        raise CannotTrack(f"MLflow is not installed ({error}); `{INSTALL}` brings it") from None
    paths.RUNS.mkdir(parents=True, exist_ok=True)
    try:
        client = mlflow.MlflowClient(tracking_uri=server)
        experiment = client.get_experiment_by_name(findings.study)
        number = experiment.experiment_id if experiment else client.create_experiment(findings.study)
        known = _known_runs(client, number)
        unsent = [record for record in findings.records.values() if _identity(record) not in known]
        for record in unsent:
            _send(mlflow, client, number, record)
    except mlflow.MlflowException as error:
        raise CannotTrack(f"{server}: {str(error).splitlines()[0]}") from None
    return len(unsent), len(findings.records) - len(unsent), server


def _identity(record: Record) -> str:
    return record.sha256 or f"{record.cell} {record.hash}"


def _known_runs(client: Any, experiment: str) -> set[str]:
    """The identities of the runs that are whole; halves of runs, left by a stop, are deleted."""
    known, token = set(), None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            if IDENTITY in run.data.tags and run.info.status != "FINISHED":
                client.delete_run(run.info.run_id)
            elif IDENTITY in run.data.tags:
                known.add(run.data.tags[IDENTITY])
        token = page.token
        if not token:
            return known


def _send(mlflow: Any, client: Any, experiment: str, record: Record) -> None:
    began = int(datetime.fromisoformat(record.started).timestamp() * 1000)
    ended = began + int(1000 * record.seconds.get("work", 0.0))
    tags = {IDENTITY: _identity(record), "phase": record.phase, "device": record.device, "hash": record.hash}
    run = client.create_run(experiment, start_time=began, tags=tags, run_name=f"{record.phase} {record.cell}")
    number = run.info.run_id
    for parameters in _batches(_parameters(record).items(), MOST_PARAMETERS):
        client.log_batch(number, params=[mlflow.entities.Param(name, value) for name, value in parameters])
    for metrics in _batches(_metrics(record), MOST_METRICS):
        points = [mlflow.entities.Metric(name, value, ended, step) for name, value, step in metrics]
        client.log_batch(number, metrics=points)
    client.set_terminated(number, "FINISHED", ended)


def _parameters(record: Record) -> dict[str, str]:
    """The cell's place on the grid and its settings, as text."""
    place = record.coordinates.model_dump() if record.coordinates else {}
    settings = {f"settings/{name}": value for name, value in record.parameters.items()}
    return {_name(name): str(value)[:MOST_LETTERS] for name, value in (place | settings).items()}


def _metrics(record: Record) -> Iterator[tuple[str, float, int]]:
    """Name, value and step of each point of the curves, of each score, and of the cost."""
    for point in record.curves:
        if point.loss is not None:
            yield _name(f"loss/{point.name}"), point.loss, point.step
        if point.learning_rate is not None:
            yield _name(f"learning rate/{point.name}"), point.learning_rate, point.step
    for result in record.results:
        kind = "score" if result.main else "other scores"
        name = f"{kind}/{result.task}/{result.language}/{result.metric}"
        yield _name(f"{name} {result.perturbation}".strip()), result.value, 0
    for name, value in record.cost.model_dump().items():
        yield f"cost/{name}", float(value), 0
    yield "cost/seconds", record.seconds.get("work", 0.0), 0


def _name(text: str) -> str:
    return FORBIDDEN.sub("_", text)


def _batches(items: Iterable[Any], most: int) -> Iterator[list[Any]]:
    rest = iter(items)
    while batch := list(islice(rest, most)):
        yield batch
