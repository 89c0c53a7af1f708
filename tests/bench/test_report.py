"""The rows of the bench: what is ok, what is missed, and how both are shown."""

import pytest

from bench import report

TEMPLATE = "{{conditions}}\n\n{{summary}}\n\n{{table}}\n"


@pytest.mark.parametrize(("value", "verdict"), [(0.74, report.OK), (0.75, report.OK), (0.76, report.MISSED)])
def test_a_figure_that_must_stay_below_its_mark(value, verdict):
    assert report.at_most("fanout", "against Node", value, 0.75, f"{value}", "≤ 0.75").verdict == verdict


@pytest.mark.parametrize(("value", "verdict"), [(1.9, report.MISSED), (2.0, report.OK), (2.1, report.OK)])
def test_a_figure_that_must_reach_its_mark(value, verdict):
    assert report.at_least("chats", "against one commit each", value, 2.0, f"{value}", "≥ 2").verdict == verdict


def test_a_ratio_shows_both_sides_and_the_mark():
    row = report.within("fanout", "per delivery", 5.2, 10.4, 0.75, "µs", "Node ws")
    assert (row.figure, row.mark, row.verdict) == ("0.50 × (5.2 µs, Node ws 10.4)", "≤ 0.75 × Node ws", report.OK)


def test_a_rate_shows_thousands():
    row = report.times("chats", "64 at a time", 33_000.0, 7_000.0, 5.0, "/s", "one commit a message")
    assert (row.figure, row.verdict) == ("4.71 × (33,000 /s, one commit a message 7,000)", report.MISSED)


def test_what_could_not_be_run_says_why():
    row = report.not_run("fanout", "against Node ws", "Node is not installed")
    assert report.terminal(row).startswith("not run") and "Node is not installed" in report.terminal(row)


def test_the_summary_counts_the_rows_with_a_mark():
    rows = [
        report.at_most("a", "b", 1, 2, "1", "≤ 2"),
        report.at_most("a", "c", 3, 2, "3", "≤ 2"),
        report.shown("a", "d", "5"),
        report.not_run("a", "e", "no compiler"),
    ]
    assert report.summary(rows) == "1 ok, 1 missed, 1 not run"


def test_the_page_has_every_row_once_and_its_conditions():
    rows = [report.shown("idle", "a | b", "15 KB"), report.at_most("idle", "c", 3, 2, "3", "≤ 2")]
    text = report.page(TEMPLATE, rows, {"machine": "two processors"})
    assert "- machine: two processors" in text and "0 ok, 1 missed, 0 not run" in text and "{{" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert table[2:] == ["| idle | a \\| b | 15 KB |  |  |", "| idle | c | 3 | ≤ 2 | **missed** |"]
