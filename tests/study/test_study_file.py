"""Study files: what is right is read as meant, what is wrong is refused with every fault, its line, its value and the
nearest right name."""

import re

import pytest
from small_study import GOOD, load

from xlt_utils.study import study_file


def faults(tmp_path, *changes, text=GOOD):
    """The message about a study in which each (old, new) was replaced."""
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    file = tmp_path / "wrong.yaml"
    file.write_text(text)
    with pytest.raises(study_file.StudyFault) as fault:
        study_file.load_study(file)
    return str(fault.value)


def test_sizes_and_numbers_are_read_as_meant(tmp_path):
    study = load(tmp_path)
    assert study.pretrain.tokens == [0, 100_000, 1_600_000]
    assert study.pretrain.learning_rate == 0.0015
    assert study.microworld.sentences == 20_000
    assert study.pretrain.encoder.vocabulary == 1_000


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("seeds:", "seed:", "line 4: seed = [0, 1]: unknown key; did you mean `seeds`?"),
        ("sst, xnli", "sst, xnlii", "line 14: target.tasks[1] = xnlii: no such target task; did you mean `xnli`?"),
        ("tasks: [mnli]", "tasks: [xnli]", "line 12: intermediate.arms[0].tasks[0] = xnli: no such intermediate task"),
        ("xa, xh", "xa, german", "line 3: languages[2] = german: no such language; did you mean `de`?"),
        ("xa, xh", "xa, de", "line 3: languages[2] = de: the microworld does not speak `de`: no task has it there"),
        ("[en, xa, xh]", "[xa, en]", "English comes first: write [en, xa]"),
        ("[en, xa, xh]", "[en]", "needs a language beside English"),
        ("xa, xh", "xa, xa", "xa is listed more than once"),
        ("[0, 1]", "[1, 1]", "seeds = [1, 1]: 1 is listed more than once"),
        ("[0, 100k, 1.6M]", "[0, 1.6M, 100k]", "a ladder rises: write [0, 100000, 1600000]"),
        ("[0, 100k, 1.6M]", "[0, 500]", "the smallest rung, 500, is less than one step, 1024"),
        ("100k", "20k", "pretrain.warmup: must end before the smallest rung, 20000, cools down: 16000 at the most"),
        ("[512,", "[200,", "intermediate.warmup: must end before the smallest rung, 200, cools down: 160"),
        ("[512,", "[0,", "intermediate.examples[0] = 0: input should be greater than 0"),
        ("tasks: [mnli]", "tasks: []", "arms[0].tasks = []: an arm without a task is masked-LM training alone"),
        ("tasks: [mnli]", "tasks: [mnli], examples: [600]", "arms[0].examples = [600]: 600 is no rung of [512, 4096]"),
        ("tasks: [mnli]", "tasks: [mnli], mlm_share: 1.0", "mlm_share = 1.0: leaves no step for the arm's tasks"),
        ("tasks: [mnli]", "tasks: [mnli], mlm_languages: [xa]", "without an `mlm_share` no text is read"),
        ("tasks: [mnli]", "tasks: [qqp], languages: [xa]", "no translations of qqp are known; there are those of mnli"),
        ("tasks: [mnli]", "tasks: [mnli], languages: [en, xb]", "`xb` is not among the study's languages"),
        ("tasks: [mnli]", "tasks: [mnli], sampling: {kind: even}", "sampling.kind = even: input should be"),
        ("tasks: [mnli]", "tasks: [mnli], sampling: {temperature: 2}", "only `kind: temperature` has one"),
        ("  tokens: [0, 100k, 1.6M]\n", "", "without tokens there is no ladder; or name ready `checkpoints`"),
        ("  tokens:", "  checkpoints: [{start: a/b, tokens: 1G}]\n  tokens:", "the checkpoints have their own; leave"),
        ("seeds: [0, 1]", "seeds: [0, 1]\ndevices: 2", "devices = 2: several devices train one task a cell"),
        ("heads: 2", "heads: 3", "pretrain.encoder.heads = 3: width 32 must be a multiple of twice the heads"),
        ("layers: 2", 'layers: "2"', 'pretrain.encoder.layers = "2": input should be a valid integer'),
        ("layers: 2", "layers: 2.0", "input should be a valid integer"),
        ("15e-4", "fast", "pretrain.learning_rate = fast: input should be a valid number"),
        ("[0, 1]", "[0, 010]", "line 4: seeds[1] = 010: a number with a leading zero"),
        ("{layers: 2,", "{start: a/b, layers: 2,", "encoder.layers = 2: the checkpoint a/b has its own; leave it out"),
        ("data: microworld", "data: hub", "microworld = {sentences: 20k}: only a study with `data: microworld`"),
        ("tasks: [sst,", "languages: {sst: [en, xb]}\n  tasks: [sst,", "`xb` is not among the study's languages"),
        ("tasks: [sst,", "languages: {pos: [en, xa]}\n  tasks: [sst,", "target.languages.pos = [en, xa]: no task of"),
        ("seeds: [0, 1]", "seeds: [0, 1]\ngate: {seed: 2}", "line 5: gate.seed = 2: is none of the study's seeds"),
        ("seeds: [0, 1]", "seeds: [0, 1]\ngate: {tokens: 2M}", "gate.tokens = 2M: is no rung of pretraining; there"),
        ("tasks: [sst,", "baseline_replicates: 0\n  tasks: [sst,", "target.baseline_replicates = 0: input should be"),
        ("name: demo", "name: Demo 1", "name = Demo 1: expected small letters"),
        ("target:\n  tasks: [sst, xnli, udpos]\n", "", "target: missing"),
        ("seeds: [0, 1]", "seeds: [0, 1]\nseeds: [2]", "line 5: seeds = [0, 1]: the key is already in line 4"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_line_field_value_and_what_is_right(tmp_path, old, new, expected):
    assert expected in faults(tmp_path, (old, new))


def test_all_faults_stand_in_one_message(tmp_path):
    message = faults(tmp_path, ("seeds", "seedz"), ("udpos", "udpoz"), ("heads: 2", "heads: 5"), ("xa, xh", "xa, de"))
    assert "wrong.yaml: 5 faults; nothing was run" in message  # seedz is unknown, and so seeds is missing
    assert re.findall(r"line (\d+):", message) == ["1", "3", "4", "7", "14"]


def test_norwegian_is_a_language_and_no_answer(tmp_path):
    assert "languages[2] = no: the microworld does not speak `no`" in faults(tmp_path, ("xa, xh", "xa, no"))


def test_data_faults_get_the_lines_of_their_fields(tmp_path):
    (tmp_path / "study.yaml").write_text(GOOD)
    texts = ["pretrain.tokens: more than there is", "glue: no such data set"]
    message = str(study_file.data_fault(tmp_path / "study.yaml", texts))
    assert "line 8: pretrain.tokens = [0, 100k, 1.6M]: more than there is" in message
    assert "\n  glue: no such data set" in message
