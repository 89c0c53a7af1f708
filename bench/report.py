"""The table: a row a mark, what decides `ok` or `missed`, and its two forms, for the terminal and for docs/benchmarks.md. Pure."""

from dataclasses import dataclass
from statistics import median

OK, MISSED, NOT_RUN, SHOWN = "ok", "missed", "not run", ""


@dataclass(frozen=True)
class Row:
    """One line. `figure` is what was measured, in words; `verdict` is empty where a figure is shown without a mark."""

    case: str
    what: str
    figure: str
    mark: str = ""
    verdict: str = SHOWN


def at_most(case: str, what: str, value: float, limit: float, figure: str, mark: str) -> Row:
    """A row that is ok up to and at the limit."""
    return Row(case, what, figure, mark, OK if value <= limit else MISSED)


def at_least(case: str, what: str, value: float, limit: float, figure: str, mark: str) -> Row:
    """A row that is ok from the limit on."""
    return Row(case, what, figure, mark, OK if value >= limit else MISSED)


def shown(case: str, what: str, figure: str) -> Row:
    """A figure without a mark."""
    return Row(case, what, figure)


def not_run(case: str, what: str, why: str) -> Row:
    """A row that could not be had on this machine."""
    return Row(case, what, why, "", NOT_RUN)


def within(case: str, what: str, ours: float, theirs: float, limit: float, unit: str, name: str) -> Row:
    """A row of a ratio that must not exceed `limit`: ours by theirs."""
    figure = f"{ours / theirs:.2f} × ({number(ours)} {unit}, {name} {number(theirs)})"
    return at_most(case, what, ours / theirs, limit, figure, f"≤ {limit:g} × {name}")


def times(case: str, what: str, ours: float, theirs: float, limit: float, unit: str, name: str) -> Row:
    """A row of a ratio that must reach `limit`: ours by theirs."""
    figure = f"{ours / theirs:.2f} × ({number(ours)} {unit}, {name} {number(theirs)})"
    return at_least(case, what, ours / theirs, limit, figure, f"≥ {limit:g} × {name}")


def versus(
    case: str,
    what: str,
    ours: list[float],
    theirs: list[float],
    unit: str,
    name: str,
    mark: float | None = None,
    more: bool = False,
) -> Row:
    """A row of two builds that were measured in turn: the ratio of their medians, and the least and greatest of the single pairs.

    `mark`: the ratio that must not be exceeded, or with `more` that must be reached; None where it is only shown.
    """
    ratio = median(ours) / median(theirs)
    pairs = sorted(one / other for one, other in zip(ours, theirs, strict=True))
    figure = f"{ratio:.3f} × ({number(median(ours))} {unit}, {name} {number(median(theirs))}; pairs {pairs[0]:.2f} to {pairs[-1]:.2f})"
    if mark is None:
        return shown(case, what, figure)
    judge = at_least if more else at_most
    return judge(case, what, ratio, mark, figure, f"{'≥' if more else '≤'} {mark:g} × {name}")


def terminal(row: Row) -> str:
    """One line for the terminal."""
    verdict = {OK: "ok     ", MISSED: "missed ", NOT_RUN: "not run", SHOWN: "       "}[row.verdict]
    mark = f"   [{row.mark}]" if row.mark else ""
    return f"{verdict}  {row.case:<12} {row.what}: {row.figure}{mark}"


def summary(rows) -> str:
    """How many of each."""
    counts = {verdict: sum(row.verdict == verdict for row in rows) for verdict in (OK, MISSED, NOT_RUN)}
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.items())


def table(rows) -> str:
    """The rows as a Markdown table."""
    lines = ["| case | what | figure | mark | |", "| --- | --- | --- | --- | --- |"]
    lines += [
        f"| {row.case} | {_cell(row.what)} | {_cell(row.figure)} | {_cell(row.mark)} | {_bold(row.verdict)} |"
        for row in rows
    ]
    return "\n".join(lines)


def page(text: str, rows, conditions: dict[str, str]) -> str:
    """`docs/benchmarks.md`: the template's text with the table and the conditions in their places."""
    made = "\n".join(f"- {name}: {value}" for name, value in conditions.items())
    return text.replace("{{table}}", table(rows)).replace("{{conditions}}", made).replace("{{summary}}", summary(rows))


def number(value: float) -> str:
    """Three digits that matter, or all of them before the point."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _bold(verdict):
    return f"**{verdict}**" if verdict == MISSED else verdict


def _cell(text):
    return text.replace("|", "\\|")
