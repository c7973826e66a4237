"""What once failed hours into a study: `xlt check` finds it, and names the field."""

import os
import shutil
from pathlib import Path

import pytest
import torch
from small_study import GOOD, load
from small_tokenizers import trained
from transformers import MODEL_FOR_MASKED_LM_MAPPING, AutoModelForMaskedLM

from xlt_utils.data import loading
from xlt_utils.pipeline import preflight
from xlt_utils.study import study_file
from xlt_utils.training import encoders, tokenization, trial

SMALL = GOOD.replace("{sentences: 20k}", "{seed: 0, sentences: 6k, bilingual: 0.05}").replace("100k, 1.6M", "40k, 80k")
SMALL = SMALL.replace("vocabulary: 1k}", "vocabulary: 1k}\n  vocabulary_sample: 2k")
SCRATCH = "encoder: {layers: 2, width: 32, heads: 2, vocabulary: 1k}\n  vocabulary_sample: 2k"

# Encoders of transformers that run: its masked-LM models that take these sizes. (mobilebert, funnel, reformer and
# squeezebert tie theirs to one another and run as published.)
RUN = """albert bert big_bird camembert convbert data2vec-text deberta deberta-v2 distilbert electra ernie esm eurobert
flaubert fnet ibert layoutlm longformer luke megatron-bert modernbert mpnet mra nomic_bert nystromformer rembert roberta
roberta-prelayernorm roc_bert roformer xlm xlm-roberta xlm-roberta-xl yoso""".split()
REFUSED = ["bart", "mbart", "mvp", "perceiver", "xmod"]  # a decoder too, bytes, a module for each language


def save_tiny(kind: str, folder: Path, **changes) -> str:
    """Write a checkpoint of an architecture by transformers' own classes, random weights and a tokenizer."""
    tokenizer = trained("Metaspace")
    configure = {config.model_type: config for config in MODEL_FOR_MASKED_LM_MAPPING}[kind]
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    sizes |= {"max_position_embeddings": 80, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    torch.manual_seed(0)
    config = configure(**sizes | {"vocab_size": len(tokenizer)} | changes)
    AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def try_it(start: str, length: int = 64) -> None:
    model, _ = encoders.starting_encoder(start, None, seed=0)
    trial.try_encoder(start, model, tokenization.load_tokenizer(start), length, masks=True)


@pytest.mark.parametrize("kind", RUN)
def test_any_encoder_of_transformers_runs(kind, tmp_path):
    try_it(save_tiny(kind, tmp_path))


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_encoder_is_refused(kind, tmp_path):
    with pytest.raises(tokenization.StartError, match=f"architecture '{kind}' does not run here"):
        try_it(save_tiny(kind, tmp_path))


@pytest.mark.parametrize(
    ("kind", "most"), [("xlm-roberta", 78), ("bert", 80), ("distilbert", 80), ("modernbert", None)]
)
def test_rows_longer_than_the_positions_are_refused(kind, most, tmp_path):
    start = save_tiny(kind, tmp_path)
    try_it(start, most or 200)
    if most:
        with pytest.raises(
            trial.TooLong, match=f"rows of {most + 1} tokens are too long for .*, which has 80 positions"
        ):
            try_it(start, most + 1)


def faults_of(tmp_path, *changes) -> list[str]:
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return preflight.check_study(load(tmp_path, text))


def test_the_field_of_a_length_is_named(world, tmp_path):
    start = save_tiny("bert", tmp_path / "start")
    long = ("tasks: [sst, xnli, udpos]", "tasks: [sst, xnli, udpos]\n  length: 64\n  settings: {udpos: {length: 90}}")
    short = ("arms: [{name: mnli, tasks: [mnli]}]", "length: 64\n  arms: [{name: mnli, tasks: [mnli]}]")
    (fault,) = faults_of(tmp_path, (SCRATCH, f"encoder: {{start: {start}}}"), long, short)
    assert fault.startswith("target.settings.udpos.length: rows of 90 tokens are too long for")
    scratch = (
        "encoder: {architecture: xlm-roberta, layers: 2, width: 32, heads: 2, vocabulary: 1k}\n  vocabulary_sample: 2k"
    )
    longer = (long[0], "tasks: [sst, xnli, udpos]\n  length: 513")
    assert faults_of(tmp_path, longer) == []  # ModernBERT's positions have no end
    (fault,) = faults_of(tmp_path, (SCRATCH, scratch), longer)
    assert fault.startswith("target.length: rows of 513 tokens are too long for scratch")


def test_masked_lm_without_a_mask_token_is_refused(world, tmp_path):
    start = save_tiny("bert", tmp_path / "start")
    tokenizer = trained("Metaspace")
    tokenizer.mask_token = None
    tokenizer.save_pretrained(start)
    short = (
        ("arms: [{name: mnli", "length: 64\n  arms: [{name: mnli"),
        ("tasks: [sst, xn", "length: 64\n  tasks: [sst, xn"),
    )
    encoder = (SCRATCH, f"encoder: {{start: {start}}}")
    (fault,) = faults_of(tmp_path, encoder, *short)
    assert (
        fault
        == f"pretrain.encoder.start: {start}: masked LM needs a tokenizer with a mask token, and this one has none"
    )
    assert faults_of(tmp_path, encoder, *short, ("tokens: [0, 40k, 80k]", "tokens: [0]")) == []


def test_a_vocabulary_below_the_signs_of_the_text_is_refused():
    signs = "".join(chr(number) for number in range(0x4E00, 0x4E00 + 400))  # Chinese
    with pytest.raises(loading.DataError, match=r"a vocabulary of 300 tokens .* does not hold the signs of the text"):
        tokenization.train_vocabulary([signs, "a few words"], 300)


def test_a_target_without_a_development_split_is_refused(world, tmp_path):
    mirror = tmp_path / "mirror"
    shutil.copytree(world, mirror, copy_function=os.link)
    readme = mirror / "google" / "xtreme" / "README.md"
    text, lines = readme.read_text(), "  - split: validation\n    path: udpos.English/validation.parquet\n"
    assert lines in text
    readme.unlink()  # a copy, not the world's own
    readme.write_text(text.replace(lines, ""))
    changed = ("data: microworld", f"data: {mirror}"), ("microworld: {seed: 0, sentences: 6k, bilingual: 0.05}\n", "")
    (fault,) = faults_of(tmp_path, *changed)
    assert fault.startswith("target.tasks: udpos, development: ") and "validation" in fault


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1.6M", "900000000G", "pretrain.tokens[2] = 900000000G: expected a size of 10,000G at most"),
        (
            "seeds: [0, 1]",
            f"seeds: [0, {2**64}]",
            "seeds[1] = 18446744073709551616: input should be less than 4294967296",
        ),
        ("tasks: [sst", "length: 4\n  tasks: [sst", "target.length = 4: input should be greater than or equal to 8"),
        (
            "tasks: [sst",
            "length: 12\n  tasks: [xquad, sst",
            "target.length = 12: xquad takes rows of 16 tokens or more",
        ),
        (
            "tasks: [sst, xnli, udpos]",
            "tasks: [sst, xquad]\n  settings: {xquad: {length: 15}}",
            "target.settings.xquad.length = 15: xquad takes rows of 16 tokens or more",
        ),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(tmp_path, old, new, expected):
    assert old in GOOD
    with pytest.raises(study_file.StudyFault) as fault:
        load(tmp_path, GOOD.replace(old, new))
    assert expected in str(fault.value)
