"""A study's page as an example: whole, with the executed notebooks of one chain and no others."""

import re

import pytest
import simulated
from small_study import GOOD, grid, load

from xlt_utils import paths
from xlt_utils.pipeline.archives.example import example_chain, write_example
from xlt_utils.pipeline.archives.publish import NotPublished

TEXT = GOOD.replace("tokens: [0, 100k, 1.6M]", "tokens: [0, 100k]").replace("[512, 4096]", "[512]")
TEXT = TEXT.replace("[sst, xnli, udpos]", "[sst, udpos]")


@pytest.fixture
def done(tmp_path, monkeypatch):
    """A study whose cells all have a record and an executed notebook."""
    monkeypatch.setattr(paths, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(paths, "REPORTS", tmp_path / "report")
    everything = grid(tmp_path, TEXT)
    for cell in everything:
        tokens, seed = (int(re.search(rf"{letter}(\d+)", cell.slug)[1]) for letter in "ps")
        tokens *= 1000 if f"p{tokens}k" in cell.slug else 1
        place = {"seed": seed, "tokens": tokens, "arm": None, "examples": 0}
        place |= {"arm": "mnli", "examples": 512} if "mnli" in cell.slug else {}
        languages = ["en", "xa", "xh"]
        results = [
            simulated.result(task, language, simulated.score(task, language, seed, tokens, place["examples"]))
            for task in ("sst", "udpos")
            for language in languages
            if cell.phase == "target"
        ]
        folder = simulated.run(paths.resolve(cell.folder), cell.phase, cell.parameters, place, results)
        notebook = folder / "attempts" / "01" / "executed.ipynb"
        notebook.write_text(notebook.read_text().replace("print(1)", f"print('{paths.ROOT}/runs')"))
    return load(tmp_path, TEXT), everything


def test_the_chain_leads_from_pretraining_to_a_target_after_the_largest_rungs(done):
    chain = [cell.slug for cell in example_chain(*done)]
    assert [slug for slug in chain if "mnli" in slug] == chain[-2:] and chain[-1].endswith("2tasks")
    assert all(slug.startswith("s0-p100k") for slug in chain[-2:]) and chain[0].startswith("s0-p")


@pytest.mark.slow
def test_the_page_is_written_with_the_notebooks_of_the_chain_alone(done, tmp_path):
    folder = tmp_path / "example"
    chain = {f"{cell.name}.html" for cell in example_chain(*done)}
    assert write_example(*done, folder) == 0
    assert {path.name for path in (folder / "notebooks").iterdir()} == chain
    links = set(re.findall(r'href="notebooks/([^"]+)"', (folder / "index.html").read_text()))
    assert links == chain
    assert not (folder / "records.zip").exists()
    assert not [page for page in (folder / "notebooks").iterdir() if str(paths.ROOT) in page.read_text()]


def test_a_study_that_is_not_done_and_a_folder_of_records_are_refused(done, tmp_path):
    study, everything = done
    with pytest.raises(NotPublished, match="an example has one of its own"):
        write_example(study, everything, paths.REPORTS / study.name)
    (paths.resolve(everything[-1].folder) / "record.json").unlink()
    with pytest.raises(NotPublished, match=f"1 of {len(everything)} cells are not done"):
        write_example(study, everything, tmp_path / "example")
