"""A small study file that is right, for the tests of what reads study files."""

from xlt_utils.study import cells, study_file

GOOD = """name: demo
data: microworld
languages: [en, xa, xh]
seeds: [0, 1]
microworld: {sentences: 20k}
pretrain:
  encoder: {layers: 2, width: 32, heads: 2, vocabulary: 1k}
  tokens: [0, 100k, 1.6M]
  learning_rate: 15e-4
intermediate:
  examples: [512, 4096]
  arms: [{name: mnli, tasks: [mnli]}]
target:
  tasks: [sst, xnli, udpos]
"""


def load(tmp_path, text=GOOD):
    file = tmp_path / "right.yaml"
    file.write_text(text)
    return study_file.load_study(file)


def grid(tmp_path, text=GOOD, data="folder", fingerprint="1"):
    return cells.expand_study(load(tmp_path, text), data, fingerprint)
