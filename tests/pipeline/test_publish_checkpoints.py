"""A ladder for the hub: whole checkpoints or none, beside a card that says what they were made of. That another study
reads it is tested in test_end_to_end.py."""

import shutil

import pytest
from huggingface_hub import ModelCard
from small_study import GOOD, load

from xlt_utils import cli, paths
from xlt_utils.pipeline.archives.publish import NotPublished
from xlt_utils.pipeline.archives.publish_checkpoints import publish_checkpoints
from xlt_utils.records.record import write_record
from xlt_utils.study import cells
from xlt_utils.study.lock import Lock, LockedText, Snapshot

SMALL = GOOD.replace("[0, 100k, 1.6M]", "[0, 100k]")
HUB = SMALL.replace("data: microworld", "data: hub\ntext: {dataset: someone/text, max_lines: 3k}")
HUB = HUB.replace("microworld: {sentences: 20k}\n", "").replace("[en, xa, xh]", "[en, de]")
HUB = HUB.replace("{layers: 2, width: 32, heads: 2, vocabulary: 1k}", "{start: someone/encoder}")


@pytest.fixture
def trained(tmp_path, monkeypatch, checkpoint):
    """A study of this text whose rungs are done, the weights beside their records, and its cells."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")

    def train(text=SMALL):
        study = load(tmp_path, text)
        grid = cells.expand_study(study, "folder", "1")
        for cell in (cell for cell in grid if cell.phase == "pretrain"):
            shutil.copytree(checkpoint, paths.resolve(cell.folder) / "state" / "encoder")
            cells.write_params(cell)
            place = {"seed": cell.parameters["seed"], "tokens": cell.parameters["tokens"]}
            write_record(cell.folder, "pretrain", cell.parameters, coordinates=place)
        return study, grid

    return train


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda cell, out: (cell / "record.json").unlink(), "pretrain s0-p100k-[0-9a-f]{8} is not done"),
        (lambda cell, out: shutil.rmtree(cell / "state"), "weights of s0-p100k-.* are gone: .*`keep: all` trains them"),
        (lambda cell, out: (cell / "state/encoder/config.json").write_text("{}"), "config.json: missing, or not the"),
        (lambda cell, out: (out / "notes").mkdir(parents=True), "there is something already"),
    ],
    ids=["not done", "gone", "damaged", "taken"],
)
def test_it_is_whole_or_refused_and_nothing_is_left(trained, tmp_path, break_it, expected):
    study, grid = trained()
    (cell,) = [cell for cell in grid if cell.phase == "pretrain" and cell.slug == "s0-p100k"]
    out = tmp_path / "out"
    break_it(paths.resolve(cell.folder), out)
    with pytest.raises(NotPublished, match=expected):
        publish_checkpoints(study, grid, None, out)
    assert not (out / "README.md").exists() and not list(tmp_path.glob("*.half"))


def test_a_ladder_that_was_trained_elsewhere_is_not_given_away(tmp_path, capsys):
    text = SMALL.replace("tokens: [0, 100k]", "checkpoints: [{start: someone/encoder, tokens: 1G}]")
    file = tmp_path / "study.yaml"
    file.write_text(text.replace("  encoder: {layers: 2, width: 32, heads: 2, vocabulary: 1k}\n", ""))
    assert cli.main(["publish", str(file), "--checkpoints", str(tmp_path / "out")]) == 65
    assert "its ladder was trained elsewhere" in capsys.readouterr().err


def test_the_card_states_sources_and_licences_and_names_every_seed(trained, tmp_path):
    study, grid = trained(HUB)
    text = LockedText(source=study.text[0].model_dump(), commit="c" * 40, license="cc-by-sa-3.0")
    encoder = Snapshot(revision="main", commit="d" * 40, license="mit")
    lock = Lock(hub="https://a.hub", folder="hub", text=[text], models={"someone/encoder@main": encoder})
    lines = publish_checkpoints(study, grid, lock, tmp_path / "out")
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.language == ["en", "de"] and card.data.library_name == "transformers"
    assert card.data.base_model == "someone/encoder" and card.data.datasets == ["someone/text"]
    assert "- someone/text: cc-by-sa-3.0" in card.text and "- someone/encoder@main: mit" in card.text
    assert {path.parent.name for path in (tmp_path / "out").glob("*/*/model.safetensors")} == {
        "tokens-0",
        "tokens-100k",
    }
    assert "`seed-1/tokens-100k`" in card.text and len(lines) == 3 and "subfolder: seed-0/tokens-100k" in lines[2]
