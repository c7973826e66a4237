"""What once gave a wrong number without a word: each is refused, or gives the right one."""

import json
import os
import re
from pathlib import Path

import hub_layout
import nbformat
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from small_tokenizers import KINDS, trained
from transformers import BertConfig, BertModel

from xlt_utils import code_hash
from xlt_utils.data import loading
from xlt_utils.data.labelled import SplitRef, read_examples
from xlt_utils.data.tasks import TASKS
from xlt_utils.evaluation import predict
from xlt_utils.records import run_hash
from xlt_utils.training import encoders, encoding, objectives, packing, tokenization

SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


def change_weights(folder: Path, change) -> None:
    file = folder / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


def without_tokenizer(folder):
    for file in folder.glob("tokenizer*"):
        file.unlink()
    config = json.loads((folder / "config.json").read_text())
    # the class that transformers makes up a tokenizer for
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "xlm-roberta", "architectures": None}))


def embeddings_of(tokens):
    def change(folder):
        config = json.loads((folder / "config.json").read_text()) | {"vocab_size": tokens}
        (folder / "config.json").write_text(json.dumps(config))
        name = "embeddings.word_embeddings.weight"
        change_weights(folder, lambda weights: weights | {name: weights[name][:1].repeat(tokens, 1)})

    return change


def name_weights(pattern, replacement):
    return lambda folder: change_weights(
        folder, lambda weights: {re.sub(pattern, replacement, name): value for name, value in weights.items()}
    )


def drop_weights(part):
    return lambda folder: change_weights(
        folder, lambda weights: {name: value for name, value in weights.items() if part not in name}
    )


def spoil(value):
    name = "encoder.layer.1.output.dense.weight"
    return lambda folder: change_weights(
        folder, lambda weights: weights | {name: torch.full_like(weights[name], value)}
    )


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        pytest.param(without_tokenizer, "tokens in the tokenizer, 1,000 embeddings", id="no tokenizer files"),
        pytest.param(embeddings_of(5000), "1,000 tokens in the tokenizer, 5,000 embeddings", id="far more embeddings"),
        pytest.param(embeddings_of(999), "1,000 tokens in the tokenizer, 999 embeddings", id="too few embeddings"),
        pytest.param(
            name_weights("^", "module."),
            "lacks weights of the encoder: embeddings.word_embeddings.weight, .* and 34 more",
            id="other names",
        ),
        pytest.param(drop_weights("layer.1"), "lacks weights of the encoder: encoder.layer.1", id="a layer missing"),
        pytest.param(spoil(np.nan), r"weights that are not finite: .*encoder\.layer\.1\.output", id="not a number"),
        pytest.param(spoil(np.inf), r"weights that are not finite: .*encoder\.layer\.1\.output", id="infinite"),
    ],
)
def test_a_broken_checkpoint_is_refused(start, break_it, expected):
    encoders.load_encoder(start)
    break_it(start)
    for load in (encoders.load_encoder, lambda folder: encoders.starting_encoder(str(folder), None, seed=0)):
        with pytest.raises(tokenization.StartError, match=expected):
            load(start)
            tokenization.load_tokenizer(start)  # phase 1 reads it before the weights


def test_a_checkpoint_without_its_pooler_is_whole(start):
    drop_weights("pooler")(start)
    encoders.load_encoder(start)


def test_an_encoder_that_breaks_later_predicts_nothing(start, world):
    """As one whose precision overflows does: its vectors and labels are not scored."""
    model, tokenizer = encoders.load_encoder(start)
    with torch.no_grad():
        model.base_model.encoder.layer[1].output.dense.weight.fill_(np.nan)
    sentences = encoding.encode(SplitRef(TASKS["tatoeba"], "test", world, "xa", 20, side="text"), tokenizer, 32)
    with pytest.raises(predict.NotFinite, match="sentence vectors are not finite"):
        predict.sentence_vectors(model, sentences)
    objective = objectives.TaskHead(model, TASKS["sst"], 0).eval()
    reviews = encoding.encode(SplitRef(TASKS["sst"], "test", world, "xa", 20), tokenizer, 32)
    with pytest.raises(predict.NotFinite, match="sst: predictions are not finite"):
        predict.predict_labels(objective, reviews)


# --- what a hash must see


def mirror(folder: Path) -> Path:
    hub_layout.write(folder, "nyu-mll/multi_nli", "default", "train", *hub_layout.nli([0, 1, 2]))
    return folder


def fingerprint(folder: Path) -> str:
    loading._files_digest.cache_clear()
    return loading.data_fingerprint(str(folder))


def behind_a_link(folder):
    (folder / "nyu-mll").rename(folder.parent / "elsewhere")
    (folder / "nyu-mll").symlink_to(folder.parent / "elsewhere")
    file = folder.parent / "elsewhere" / "multi_nli" / "default" / "train.parquet"
    file.write_bytes(file.read_bytes() + b"0")


def other_config(folder):
    readme = folder / "nyu-mll" / "multi_nli" / "README.md"
    readme.write_text(readme.read_text().replace("train.parquet", "other.parquet"))


@pytest.mark.parametrize("change", [behind_a_link, other_config])
def test_a_change_of_the_data_is_seen(tmp_path, change):
    folder = mirror(tmp_path / "mirror")
    before = fingerprint(folder)
    change(folder)
    assert fingerprint(folder) != before


def test_what_is_no_data_is_not_seen(tmp_path):
    folder = mirror(tmp_path / "mirror")
    before = fingerprint(folder)
    for name in (".DS_Store", ".git/HEAD", "nyu-mll/.cache/huggingface/lock", "nyu-mll/multi_nli/LICENSE.md"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("no data")
    readme = folder / "nyu-mll" / "multi_nli" / "README.md"
    readme.write_text(readme.read_text() + "# Prose below the YAML\n")
    assert fingerprint(folder) == before
    os.rename(folder / "nyu-mll", folder.parent / "elsewhere")
    os.symlink(folder.parent / "elsewhere", folder / "nyu-mll")
    assert fingerprint(folder) == before  # the same files, wherever they lie


def checkpoint_hash(start: Path) -> str:
    run_hash._folder_hash.cache_clear()
    return run_hash.hash_run("pretrain", {"start": str(start)}, "code", "data", [])


SEEN = {"sentencepiece.bpe.model": True, "vocab.txt": True, "README.md": False, ".gitattributes": False}


@pytest.mark.parametrize(("name", "is_seen"), [*SEEN.items(), ("pytorch_model.bin", False)])
def test_a_checkpoints_files_are_seen_whatever_their_ending(start, name, is_seen):
    before = checkpoint_hash(start)
    (start / name).write_text("changed")
    assert (checkpoint_hash(start) != before) is is_seen


def test_an_empty_cell_of_a_notebook_is_not_seen(tmp_path):
    cells = [nbformat.v4.new_code_cell("seed = 1"), nbformat.v4.new_code_cell("print(seed)")]
    empty = [nbformat.v4.new_code_cell(""), nbformat.v4.new_code_cell(" \n")]
    hashes = set()
    for number, order in enumerate((cells, [cells[0], *empty, cells[1]], [*empty, *cells])):
        file = tmp_path / f"{number}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=order), file)
        hashes.add(code_hash.notebook_code_hash(file, "target"))
    assert len(hashes) == 1


# --- labels


@pytest.mark.parametrize("tag", [-2, -100, 7])
def test_a_tag_outside_the_names_is_refused(tmp_path, tag):
    names = ["O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC"]
    columns, features = hub_layout.tagged([(["Ada", "wrote"], [1, tag])], names, "ner_tags")
    features["ner_tags"] = hub_layout.List(hub_layout.Value("int64"))
    hub_layout.write(tmp_path, "google/xtreme", "PAN-X.en", "train", columns, features)
    with pytest.raises(loading.DataError):
        read_examples(SplitRef(TASKS["panx"], "train", str(tmp_path)))


# --- words and answers as the encoder reads them


@pytest.mark.parametrize("kind", KINDS)
def test_words_have_the_tokens_of_their_sentence(kind, tmp_path):
    words = ["the", "river", "flows", "by", "the", "town"]
    columns, features = hub_layout.tagged([(words, [0, 1, 2, 0, 0, 1])], list(TASKS["udpos"].labels), "pos_tags")
    hub_layout.write(tmp_path, "google/xtreme", "udpos.English", "train", columns, features)
    tokenizer = trained(kind)
    encoded = encoding.encode(SplitRef(TASKS["udpos"], "train", str(tmp_path)), tokenizer, 64)
    assert encoded.tokens.tolist() == tokenizer(" ".join(words))["input_ids"]
    assert (encoded.labels != encoding.IGNORED).sum() == len(words)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("before", "answer", "after"),
    [("by", " the old town", ""), ("", "the river ", "flows"), ("", "\tthe river", " flows"), ("", "the river", "")],
)
def test_an_answer_between_white_space_is_the_span_without_it(kind, before, answer, after, tmp_path):
    context = before + answer + after
    columns, features = hub_layout.spans([("1", "what flows ?", context, [(answer, len(before))])])
    hub_layout.write(tmp_path, "google/xtreme", "XQuAD.en", "validation", columns, features)
    encoded = encoding.encode(SplitRef(TASKS["xquad"], "test", str(tmp_path), "en"), trained(kind), 64)
    first, last = encoded.labels[0]
    assert context[encoded.offsets[first, 0] : encoded.offsets[last, 1]].strip() == answer.strip()


def test_segments_reach_an_encoder_that_has_them_packed_or_not(tmp_path):
    """As BERT's have: what is packed has the states that the encoder gives alone."""
    hub_layout.write(tmp_path, "nyu-mll/multi_nli", "default", "train", *hub_layout.nli([0, 1, 2, 0]))
    tokenizer = trained("WordPiece")
    tokenizer.model_input_names = [*tokenizer.model_input_names, "token_type_ids"]  # as BERT's own
    encoded = encoding.encode(SplitRef(TASKS["mnli"], "train", str(tmp_path)), tokenizer, 64)
    batch = encoded.batch([0, 1, 2, 3])
    expected = tokenizer("p0", "h0")["token_type_ids"]
    assert batch["token_type_ids"][0][: len(expected)].tolist() == expected and sum(expected) > 0
    torch.manual_seed(0)
    model = BertModel(BertConfig(**SMALL, vocab_size=len(tokenizer), pad_token_id=1)).eval()
    alone = model(**{name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")})
    states = packing.hidden_states(model, batch["input_ids"], batch["attention_mask"], batch["token_type_ids"])
    mask = batch["attention_mask"].bool()
    assert torch.allclose(states[mask], alone.last_hidden_state[mask], atol=1e-5)
    without = packing.hidden_states(model, batch["input_ids"], batch["attention_mask"])
    assert not torch.allclose(without[mask], states[mask], atol=1e-3)
    objective = objectives.TaskHead(model, TASKS["mnli"], 0).eval()
    single = {name: tensor for name, tensor in batch.items() if name != "token_type_ids"}
    assert not torch.allclose(objective.logits(batch), objective.logits(single), atol=1e-4)
