"""The figures of docs/benchmarks.md and the plots beside it, from the results of the last run."""

import json

from . import growth, peers, report, runs
from .pictures import pictures

DOCS = runs.ROOT / "docs"
BEGIN, END = "<!-- figures: `make bench-publish` writes what follows -->", "<!-- end of figures -->"


class Unpublished(Exception):
    """It cannot be written; the text says why in one sentence."""


def figures(results, drawn):
    lines = ["", *report.about(results)[:1], ""]
    for heading, sentence, header, rows in report.tables(results):
        lines += [f"### {heading}", "", sentence, "", *report.markdown_table(header, rows), ""]
        if heading == "Linux":
            lines += ["![Linux: weighted cost, times native](benchmarks.svg)", ""]
    for name, (_, what, why) in growth.GROWTHS.items():
        if f"growth-{name}.svg" in drawn:
            lines += [f"### How cost grows: {what}", "", f"![cost against {what}](growth-{name}.svg)", "", why, ""]
    return "\n".join(lines)


def replaced(text, new):
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Unpublished(f"docs/benchmarks.md lacks the line {END if begin else BEGIN}")
    return before + begin + "\n" + new + end + after


def publish(folder):
    try:
        results = json.loads((folder / "results.json").read_text())
    except (OSError, ValueError) as error:
        raise Unpublished(f"{folder}/results.json cannot be read ({error}); `make bench` writes it") from None
    results["peers"] = peers.known(folder) if results["linux"] else {}
    peers.write_record(peers.known(folder))
    drawn = pictures(results)
    page = DOCS / "benchmarks.md"
    page.write_text(replaced(page.read_text(), figures(results, drawn)))
    for name, picture in drawn.items():
        (DOCS / name).write_text(picture)
