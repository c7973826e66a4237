import re
from html import unescape

import pytest
from figure_studies import figures_by_name

from xlt_utils.reporting.figures.figure import Figure, draw_figures, figure_name


@pytest.fixture(scope="module")
def figures(rising_findings) -> dict[str, Figure]:
    return figures_by_name(rising_findings)


def test_the_same_records_give_the_same_bytes_drawn_side_by_side_or_not(rising_findings, figures, tmp_path):
    side_by_side = figures_by_name(rising_findings)
    draw_figures(list(side_by_side.values()))
    for name, figure in figures.items():
        other = side_by_side[name]
        assert set(other.images) == {"svg", "png"}
        files = zip(figure.save(tmp_path / "a"), other.save(tmp_path / "b"), strict=True)
        assert all(path.read_bytes() == other_path.read_bytes() for path, other_path in files), name
        assert (figure.title, figure.caption, figure.alt) == (other.title, other.caption, other.alt)


@pytest.mark.parametrize("study", ["rising_findings", "gappy_findings"])
def test_every_figure_has_its_data_its_n_and_an_alt_text(study, request):
    figures = figures_by_name(request.getfixturevalue(study))
    assert len(figures) == 16
    for name, figure in figures.items():
        assert len(figure.data) and figure.title and re.search(r"\d", figure.alt), name
        assert "n = " in figure.caption or "seed" in figure.caption or name == "cost"
        assert "nan" not in f"{figure.title} {figure.caption} {figure.alt}", name


def test_a_notebook_shows_the_title_the_caption_and_the_alt_text(figures):
    for figure in figures.values():
        html = unescape(figure._repr_html_())
        assert f'alt="{figure.alt}"' in html and figure.title in html and figure.caption in html


def test_an_arm_of_any_name_makes_a_file_name():
    assert figure_name("surface", "") == "surface"
    assert figure_name("surface", "../a b+c") == "surface-___a_b+c"
