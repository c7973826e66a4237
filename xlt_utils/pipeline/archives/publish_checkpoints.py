"""A study's own pretraining ladder as a set that is ready for the hub: a folder a seed and rung, each a checkpoint that
transformers reads, and a model card that says what they were trained on. A study with done pretraining cells goes in; a
folder comes out, which `checkpoints:` of another study file reads, from the disk or after an upload."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCardData

from xlt_utils import paths
from xlt_utils.data.languages import LANGUAGES
from xlt_utils.files import damaged_files, sha256_of_file, write_json
from xlt_utils.formatting import count_of, join_words, number_text, short_size
from xlt_utils.microworld import LANGUAGES as COUNTERFACTUAL
from xlt_utils.pipeline.archives import growth
from xlt_utils.pipeline.archives.publish import NotPublished
from xlt_utils.records.record import Record, is_done, read_record
from xlt_utils.study.cells import Cell
from xlt_utils.study.lock import Lock, LockedText
from xlt_utils.study.schema import Study
from xlt_utils.study.wanted import hub_checkpoint, wanted_text

LADDER = "ladder.json"  # beside the card: the same for programs
WEIGHTS = "model.safetensors"
HUB_ID = "OWNER/NAME"  # stands in the card until the set has an id


def publish_checkpoints(study: Study, grid: list[Cell], lock: Lock | None, folder: Path) -> list[str]:
    """Copy the encoders of a study's pretraining cells, whole by the sha256 in their records, with a model card.

    Args:
        study: the study, as its file has it.
        grid: its cells.
        lock: what was taken from the hub, with licences; None where nothing was.
        folder: where to; it is not there yet, or empty.

    Returns:
        The `checkpoints:` of a study file that reads the first seed's ladder from the folder, line by line.

    Raises:
        NotPublished: the folder holds something, the ladder is not the study's own, a rung is not done, or its weights
            are gone or damaged.
    """
    rungs = [cell for cell in grid if cell.phase == "pretrain"]
    if study.pretrain.checkpoints:
        raise NotPublished(
            f"{study.name}: pretrain.checkpoints: its ladder was trained elsewhere; only rungs of `tokens` are its own"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise NotPublished(f"{folder}: there is something already; name a folder that is not there yet")
    archived = growth.find_archived(study, grid)
    records = [_whole_record(study, cell, cell.folder in archived) for cell in rungs]
    half = folder.with_name(folder.name + ".half")
    shutil.rmtree(half, ignore_errors=True)
    rows = []
    for cell, record in zip(rungs, records, strict=True):
        row = _row(record)
        shutil.copytree(paths.resolve(cell.folder) / "state" / "encoder", half / row["subfolder"])
        rows.append(row | {"sha256": sha256_of_file(half / row["subfolder"] / WEIGHTS)})
    write_json(half / LADDER, {"study": study.name, "checkpoints": rows})
    (half / "README.md").write_text(_card(study, records, rows, lock), encoding="utf-8")
    if folder.exists():
        folder.rmdir()
    half.rename(folder)
    return checkpoint_lines(paths.relative(folder), rows)


def checkpoint_lines(start: str, rows: Iterable[dict[str, Any]]) -> list[str]:
    """The `checkpoints:` of a study file that reads the ladder of the first seed among the rows of LADDER."""
    rows = list(rows)
    ladder = [row for row in rows if row["seed"] == rows[0]["seed"]]
    return [
        "checkpoints:",
        *(f"  - {{start: {start}, subfolder: {row['subfolder']}, tokens: {row['tokens']}}}" for row in ladder),
    ]


def _whole_record(study: Study, cell: Cell, is_archived: bool) -> Record:
    """The record of a cell whose encoder lies beside it as it was written."""
    folder = paths.resolve(cell.folder)
    if not is_archived and not is_done(cell.folder, cell.hash):
        raise NotPublished(f"{study.name}: {cell.phase} {cell.name} is not done; `xlt run` does it")
    if not (folder / "state" / "encoder" / WEIGHTS).is_file():
        raise NotPublished(
            f"{study.name}: the weights of {cell.name} are gone: they go when a study is published, and with `keep: "
            "needed` as soon as no cell needs them. A copy of the study file with another `name:` and `keep: all` "
            "trains them again"
        )
    record = read_record(cell.folder)
    stated = {name: digest for name, digest in record.files.items() if name.startswith("state/encoder/")}
    if damaged := damaged_files(folder, stated):
        raise NotPublished(
            f"{paths.relative(damaged[0])}: missing, or not the bytes of the sha256 in its record; `xlt doctor` says "
            "what mends it"
        )
    return record


def _row(record: Record) -> dict[str, Any]:
    """A checkpoint of the set: where it lies, and where it stands on the ladder."""
    assert record.coordinates  # a pretraining record has some
    seed, tokens = record.coordinates.seed, record.coordinates.tokens
    losses = record.facts.get("held-out loss") or {}
    return {
        "subfolder": f"seed-{seed}/tokens-{short_size(tokens)}",
        "seed": seed,
        "tokens": tokens,
        "seen tokens": record.facts.get("seen tokens", 0),
        "held-out loss": losses.get("en"),
        "cell": record.cell,
    }


def _card(study: Study, records: list[Record], rows: list[dict[str, Any]], lock: Lock | None) -> str:
    """The model card: metadata that the hub reads, the ladder, its data, and how to read it."""
    texts = [taken for source in wanted_text(study) if (taken := lock.text_of(source))] if lock else []
    real = [code for code in study.languages if code not in COUNTERFACTUAL or code == "en"]
    metadata = ModelCardData(
        language=real or None,
        library_name="transformers",
        pipeline_tag="fill-mask",
        tags=["xlt-utils", "pretraining-ladder"],
        datasets=sorted({row.source["dataset"] for row in texts}) or None,
        base_model=_base_model(study),
    )
    table = ["| folder | seed | tokens | tokens shown | held-out loss, English | sha256 of the weights |"]
    table += ["|---|---|---|---|---|---|"]
    for row in rows:
        loss = "–" if row["held-out loss"] is None else number_text(row["held-out loss"], digits=3)
        numbers = f"{row['seed']} | {row['tokens']:,} | {row['seen tokens']:,} | {loss} | `{row['sha256']}`"
        table.append(f"| `{row['subfolder']}` | {numbers} |")
    parts = [
        f"---\n{metadata.to_yaml()}\n---",
        f"# The pretraining ladder of the study {study.name}",
        f"{count_of(len(rows), 'checkpoint')} of one encoder, {_start_text(study)}, after growing amounts of masked-LM "
        f"training. Beside each are its tokenizer and its configuration; `{LADDER}` holds this table for programs.",
        "\n".join(table),
        "## Training",
        "\n".join(_training_lines(study, records[-1])),
        "## Licences",
        "\n".join(_licence_lines(study, texts, lock)),
        "## How to read them",
        f"After `hf upload {HUB_ID} FOLDER`, a study file of xlt-utils has this ladder as its P with, under "
        "`pretrain:`,",
        "\n".join(["```yaml", *checkpoint_lines(HUB_ID, rows), "```"]),
        "and transformers reads one of them with",
        f'```python\nAutoModelForMaskedLM.from_pretrained("{HUB_ID}", subfolder="{rows[-1]["subfolder"]}")\n```',
    ]
    return "\n\n".join(parts) + "\n"


def _base_model(study: Study) -> str | None:
    """The hub's id of what the ladder starts from; None for random weights and for folders."""
    checkpoint = hub_checkpoint(study.pretrain.rungs[0].encoder.start)
    return checkpoint.name if checkpoint else None


def _start_text(study: Study) -> str:
    encoder = study.pretrain.rungs[0].encoder
    if not encoder.is_scratch:  # where a folder lies is nobody's matter
        return f"begun from {_base_model(study) or (encoder.card and encoder.card.model) or 'a checkpoint in a folder'}"
    shape = f"{encoder.layers} layers of width {encoder.width}, {encoder.heads} heads"
    return f"{encoder.architecture or 'modernbert'} from random weights ({shape})"


def _training_lines(study: Study, record: Record) -> list[str]:
    phase = study.pretrain
    names = join_words(f"{LANGUAGES[code].name} ({code})" for code in study.languages)
    data = {"hub": "the hub", "microworld": "the microworld, which xlt-utils generates"}.get(study.data, "a folder")
    lines = [
        f"- Text: {names}, of {data}; sha256 of the data `{record.data}`.",
        f"- Sequences of {phase.length} tokens, {phase.batch} a step, learning rate {phase.learning_rate:g}, "
        f"{phase.mask_rate:.0%} masked, schedule `{phase.schedule}`, arm `{phase.arm}`.",
        f"- Code `{record.code}`, {join_words(f'{name} {version}' for name, version in record.versions.items())}.",
    ]
    commits = join_words(f"{name} at `{commit}`" for name, commit in (record.commits or {}).items())
    return [*lines, f"- Read from the hub: {commits}."] if commits else lines


def _licence_lines(study: Study, texts: list[LockedText], lock: Lock | None) -> list[str]:
    """What the cards of the sources state; which licence the checkpoints get is their owner's decision."""
    stated = {row.source["dataset"]: row.license for row in texts}
    base = _base_model(study)
    stated |= {key: row.license for key, row in lock.models.items() if key.partition("@")[0] == base} if lock else {}
    lines = [f"- {name}: {licence or 'its card states none'}" for name, licence in sorted(stated.items())]
    if study.data == "microworld":
        lines.append("- The microworld's text is generated; nobody else's is in it.")
    elif study.data != "hub":
        lines.append("- The text lies in a folder that states no licence.")
    card = study.pretrain.rungs[0].encoder.card
    if card:
        lines.append(f"- {card.model} was trained on {card.training_data.strip()}")
    return [*lines, "- These checkpoints: not stated yet; add `license:` to the metadata above."]
