"""Checkpoints that were made to harm: no code of one is run, and no weights are read but its own safetensors files."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from small_study import GOOD, load

from xlt_utils.pipeline import preflight
from xlt_utils.training import encoders, tokenization

WEIGHT = "embeddings.word_embeddings.weight"


class Bomb:
    """An object that runs code where it is unpickled."""

    def __init__(self, mark: Path):
        self.code = f"open({str(mark)!r}, 'w')"

    def __reduce__(self):
        return exec, (self.code,)


def edit(start: Path, name: str, **fields) -> None:
    file = start / name
    file.write_text(json.dumps((json.loads(file.read_text()) if file.exists() else {}) | fields))


def pickled(start: Path, mark: Path) -> None:
    (start / "model.safetensors").unlink()
    (start / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(mark)))


def pickled_without_harm(start: Path, mark: Path) -> None:
    """What torch itself would read, which keeps bombs out but has been outwitted before."""
    torch.save(load_file(start / "model.safetensors"), start / "pytorch_model.bin")
    (start / "model.safetensors").unlink()


def pickled_shards(start: Path, mark: Path) -> None:
    pickled(start, mark)
    (start / "pytorch_model.bin").rename(start / "part.bin")
    edit(start, "pytorch_model.bin.index.json", metadata={}, weight_map={WEIGHT: "part.bin"})


def pickled_by_another_name(start: Path, mark: Path) -> None:
    (start / "model.safetensors").write_bytes(pickle.dumps(Bomb(mark)))


def pickled_in_an_index(start: Path, mark: Path) -> None:
    pickled(start, mark)
    edit(start, "model.safetensors.index.json", metadata={}, weight_map={WEIGHT: "pytorch_model.bin"})


def code(start: Path, mark: Path) -> None:
    (start / "own.py").write_text(f"open({str(mark)!r}, 'w')\nclass Own: pass\nConfig = Model = Own\n")
    classes = {"AutoConfig": "own.Config", "AutoModel": "own.Model", "AutoModelForMaskedLM": "own.Model"}
    edit(start, "config.json", auto_map=classes)


def code_of_an_unknown_architecture(start: Path, mark: Path) -> None:
    code(start, mark)
    edit(start, "config.json", model_type="own")


def tokenizer_class(start: Path, mark: Path) -> None:
    code(start, mark)
    edit(start, "tokenizer_config.json", tokenizer_class="Own", auto_map={"AutoTokenizer": ["own.Own", "own.Own"]})


def tokenizer_class_alone(start: Path, mark: Path) -> None:
    tokenizer_class(start, mark)
    (start / "tokenizer.json").unlink()


REFUSED = [pickled, pickled_without_harm, pickled_shards, pickled_by_another_name, pickled_in_an_index]
REFUSED += [code_of_an_unknown_architecture, tokenizer_class_alone]


@pytest.mark.parametrize("harm", REFUSED)
def test_a_checkpoint_that_needs_its_own_code_or_a_pickle_is_refused(start, tmp_path, harm):
    harm(start, tmp_path / "ran")
    with pytest.raises(tokenization.StartError, match=f"{start}: no "):
        encoders.load_encoder(start)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("harm", [code, tokenizer_class])
def test_code_beside_what_transformers_knows_is_never_run(start, tmp_path, harm):
    """A known architecture, or a tokenizer.json, is read by transformers' own classes."""
    before, tokenizer = encoders.load_encoder(start)
    harm(start, tmp_path / "ran")
    after, same = encoders.load_encoder(start)
    assert not (tmp_path / "ran").exists() and type(after) is type(before)
    assert tokenization.tokenizer_fingerprint(same) == tokenization.tokenizer_fingerprint(tokenizer)


def test_the_bomb_goes_off(tmp_path):
    """The tests above would see it."""
    pickle.loads(pickle.dumps(Bomb(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "field", "place"),
    [
        ("model.safetensors.index.json", "weight_map", "weights.bin"),
        ("model.safetensors.index.json", "weight_map", "../weights.safetensors"),
        ("model.safetensors.index.json", "weight_map", "below/weights.safetensors"),
        ("config.json", "transformers_weights", "below/weights.safetensors"),
    ],
)
def test_weights_that_no_hash_sees_are_refused_before_a_study_runs(start, tmp_path, name, field, place):
    """transformers reads all of these; a run's hash covers the safetensors files in the checkpoint's folder alone."""
    weights = load_file(start / "model.safetensors")
    (start / "model.safetensors").rename(tmp_path / "weights.safetensors")
    (start / "below").mkdir()
    (start / "below" / "weights.safetensors").write_bytes((tmp_path / "weights.safetensors").read_bytes())
    torch.save(weights, start / "weights.bin")
    edit(start, name, metadata={}, **{field: dict.fromkeys(weights, place) if field == "weight_map" else place})
    encoders.load_encoder(start)
    text = GOOD.replace("{layers: 2, width: 32, heads: 2, vocabulary: 1k}", f"{{start: {start}}}")
    faults = preflight._check_checkpoints(load(tmp_path, text))
    expected = f"{start}: {name}, {field}: weights in {place!r}; expected a .safetensors file beside it"
    assert faults == [f"pretrain.encoder.start: {expected}"]
