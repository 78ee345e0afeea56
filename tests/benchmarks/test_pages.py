"""Pages that scripts write say what the stored rows say."""

import re

import pytest

from benchmarks import pages
from benchmarks.model_pages import page_of, read_instructions
from benchmarks.pages import README, RESULTS_PAGE, fill_block, markdown_table
from benchmarks.ship_weights import PAGES
from benchmarks.write_pages import TABLES
from keras_lwcnn.weights import shipped_sets


@pytest.mark.parametrize("write", TABLES, ids=lambda write: write.__module__)
def test_every_table_is_what_the_stored_rows_say_now(monkeypatch, write):
    written = []
    monkeypatch.setattr(pages, "write_bytes", lambda page, content: written.append((page, content)))
    write()
    assert written
    for page, content in written:
        assert content == page.read_bytes(), f"{page} is old: run python -m benchmarks.write_pages"


@pytest.mark.parametrize("weights", shipped_sets(), ids=lambda weights: weights.id)
def test_every_page_of_weights_is_what_index_and_rows_say_now(weights):
    page = PAGES / f"{weights.id}.md"
    told = f"{page} is old: run python -m benchmarks.write_pages"
    assert page.read_text() == page_of(weights, read_instructions(weights)), told


def test_the_readme_keeps_the_demo_alone():
    assert re.findall(r"<!-- (.*): begin -->", README.read_text()) == ["demo"]
    assert "architectures.png" in RESULTS_PAGE.read_text()


def test_a_block_is_filled_between_its_marks_and_a_missing_one_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- a: begin -->\nold\n<!-- a: end -->\nafter\n")
    table = markdown_table(["name", "number"], [["x", "1"]])
    fill_block("a", table, page)
    assert page.read_text() == (
        "before\n<!-- a: begin -->\n| name | number |\n| --- | ---: |\n| x | 1 |\n"
        "<!-- a: end -->\nafter\n"
    )
    with pytest.raises(ValueError, match="0 blocks `b`; one is allowed. Put <!-- b: begin -->"):
        fill_block("b", table, page)
