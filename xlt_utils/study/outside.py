"""What a study file names that lies outside it. A study goes in; the data sets and checkpoints that a check of the file
alone does not look for come out."""

from xlt_utils.data.tasks import TASKS
from xlt_utils.study.schema import Study


def not_checked(study: Study) -> list[str]:
    """What a check of the study file alone leaves out: the data sets and checkpoints that the study names."""
    tasks = [TASKS[name] for name in study.target.tasks]
    tasks += [TASKS[name] for arm in study.intermediate.arms for name in arm.tasks]
    sources = [source for task in tasks for source in (*task.train, *task.development, *task.test)]
    datasets = dict.fromkeys(source.dataset for source in sources)
    starts = dict.fromkeys(rung.encoder.start for rung in study.pretrain.rungs if not rung.encoder.is_scratch)
    datasets |= dict.fromkeys(source.dataset for source in study.text)
    return [f"data sets in {study.data}: {', '.join(datasets)}", *(f"checkpoint {start}" for start in starts)]
