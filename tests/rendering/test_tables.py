"""Tables as plain text and as HTML."""

from __future__ import annotations

from mnist_widgets.rendering.tables import Table

TABLE = Table(["class", "count"], [("<a>", "1,000"), ("b", "7")], "How many & why")


def test_the_text_is_aligned_below_its_caption():
    assert TABLE.text.splitlines() == [
        "How many & why",
        "class  count",
        "  <a>  1,000",
        "    b      7",
    ]
    assert TABLE._replace(caption="").text.startswith("class")


def test_the_html_escapes_its_cells_and_names_rows_and_columns():
    assert "<caption>How many &amp; why</caption>" in TABLE.html
    assert '<th scope="row">&lt;a&gt;</th><td>1,000</td>' in TABLE.html
    assert TABLE.html.count('<th scope="col">') == 2
    assert "<caption>" not in TABLE._replace(caption="").html
