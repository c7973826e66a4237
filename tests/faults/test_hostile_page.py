"""A page of other people's records: their text is text, and the page's own policy lets nothing run or be fetched but
the page's own script, style and pictures."""

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import simulated
from report_studies import LANGUAGES, gather_all, small_figures

from xlt_utils.records.record import sealed
from xlt_utils.records.run_hash import PROVENANCE
from xlt_utils.reporting.notebook_pages import write_notebook_pages
from xlt_utils.reporting.page import render_page

HOSTILE = """'"><img src="http://x/y" onerror="alert(1)"><script>alert(2)</script>"""


class Page(HTMLParser):
    """The tags of a page with their attributes, the texts of its scripts and its security policy."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        if self.tags and self.lasttag == "script" and len(self.scripts) < sum(tag == "script" for tag, _ in self.tags):
            self.scripts.append(data)

    def policy(self) -> dict[str, str]:
        """The sources that it allows, by directive."""
        metas = [attributes for tag, attributes in self.tags if tag == "meta"]
        (content,) = [meta["content"] for meta in metas if meta.get("http-equiv") == "Content-Security-Policy"]
        return dict(directive.strip().split(" ", 1) for directive in content.split(";"))

    def check(self, scripts: int) -> None:
        """Nothing of it is made to run or to be fetched, but so many scripts."""
        assert len(self.scripts) == sum(tag == "script" for tag, _ in self.tags) == scripts
        assert not [name for _, attributes in self.tags for name in attributes if name.startswith("on")]
        assert all(attributes["src"].startswith("data:") for tag, attributes in self.tags if tag == "img")
        links = [attributes["href"] for _, attributes in self.tags if "href" in attributes]
        assert not [link for link in links if ":" in link.split("/")[0] and not link.startswith("data:,")]


def strings(content: dict, field: str) -> dict:
    """A record whose texts of one kind are hostile."""
    if field == "results":
        return content | {"results": [result | {"metric": HOSTILE} for result in content["results"]]}
    if field == "parameters":
        texts = dict.fromkeys(("data", "labels", "start", HOSTILE), HOSTILE)
        return content | {"parameters": content["parameters"] | texts}
    fields = {
        "machine": {"machine": HOSTILE, "device": HOSTILE, "precision": HOSTILE, "origin": HOSTILE},
        "versions": {"versions": {"python": HOSTILE, HOSTILE: HOSTILE}},
        "curves": {"curves": [{"name": HOSTILE, "step": 1, "loss": 1.0}]},
        "cell": {"cell": HOSTILE.replace("/", "|")},
        "inputs": {"inputs": [{"folder": HOSTILE, "hash": HOSTILE}]},
        "facts": {"facts": {HOSTILE: HOSTILE, "read": {"xnli": {"en": {"dropped": {HOSTILE: 3}, "read": [HOSTILE]}}}}},
    }
    return content | fields[field]


@pytest.mark.parametrize(
    "field", ["results", "parameters", "machine", "versions", "curves", "cell", "inputs", "facts", "other files"]
)
def test_text_of_others_stays_text(tmp_path, field):
    folder = tmp_path / "s"
    runs = simulated.study(folder, languages=LANGUAGES, seeds=(0, 1), tokens=(0,))
    if field == "other files":
        card = {"model": HOSTILE, "training_data": HOSTILE, "tasks": [HOSTILE]}
        simulated.write_json(folder / PROVENANCE, {"checkpoints": [{"start": HOSTILE, "card": card}]})
        simulated.attempt(runs[-1], "failed", HOSTILE)
        (runs[-1] / "record.json").unlink()
    else:
        for file in folder.rglob("record.json"):
            file.write_text(json.dumps(sealed(strings(json.loads(file.read_text()), field))))
    findings = gather_all(folder)
    page = Page(render_page(findings, small_figures(findings), tmp_path / "page").read_text(encoding="utf-8"))
    page.check(scripts=1)
    for notebook in (tmp_path / "page" / "notebooks").iterdir():
        Page(notebook.read_text(encoding="utf-8")).check(scripts=0)


def test_the_page_runs_its_own_script_alone_and_fetches_nothing(tmp_path):
    simulated.study(tmp_path / "s", seeds=(0,), tokens=(0,))
    findings = gather_all(tmp_path / "s")
    page = Page(render_page(findings, small_figures(findings), tmp_path / "page").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    assert page.policy() == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    names = [tag for tag, attributes in page.tags if tag != "meta" or "http-equiv" in attributes]
    assert names.index("meta") < min(names.index(tag) for tag in ("link", "style", "script", "img"))


def test_no_output_of_a_notebook_runs_on_its_page(tmp_path: Path):
    """HTML among a notebook's outputs is shown as it is: the policy, which comes before it, lets no script run."""
    cell = nbformat.v4.new_code_cell("1", outputs=[nbformat.v4.new_output("display_data", {"text/html": HOSTILE})])
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "executed.ipynb")
    (tmp_path / "pages").mkdir()
    index = pd.DataFrame({"cell": [HOSTILE.replace("/", "|")], "notebook": [tmp_path / "executed.ipynb"]})
    (name,) = write_notebook_pages(index, tmp_path / "pages")
    text = (tmp_path / "pages" / name).read_text(encoding="utf-8")
    assert Page(text).policy() == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert text.index("Content-Security-Policy") < text.index("<title>") < text.index("<script>")
    assert HOSTILE not in text.split("<body>")[0]
