"""The results as text, as a page and as a picture."""

import html
import math

from . import growth, linux, peers
from .marks import PUBLISHED

NAMES = ("trap", "interpret", "translate")
WIDTH, LEFT, BAR, GAP = 860, 150, 9, 10
COLOURS = {"trap": "#c0504d", "interpret": "#9a9a9a", "translate": "#3a6ea5"}


def number(value):
    if value is None:
        return "?"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.2f}"


def ratio(row, way):
    if "ticks" not in row.get(way, {}) or not row["native"]["ticks"]:
        return None
    return round(row[way]["ticks"] / row["native"]["ticks"], 2)


def tables(results):
    """(heading, sentence, header, rows) for each table."""
    if results["linux"]:
        yield linux_table(results["linux"], results["peers"])
    if results["peers"]:
        yield peers_table(results["peers"])
    if results["causes"]:
        yield causes_table(results)
    yield (
        "Operations",
        "Instructions for one, and entries into ring 0 in brackets.",
        ["operation", "what it is", "native", *NAMES],
        [
            [name, row["what"], number(row["native"]["ticks"]), *(cell(row.get(way, {})) for way in NAMES)]
            for name, row in results["operations"].items()
        ],
    )
    yield (
        "Beside what was published",
        "Ratio to native. Adams and Agesen counted cycles of a Pentium 4, where an instruction that traps costs hundreds; "
        "here it counts as one, so only the order can be compared.",
        ["operation", *NAMES, "Adams and Agesen, translation", "Adams and Agesen, hardware"],
        [
            [name, *(number(ratio(results["operations"][name], way)) for way in NAMES)]
            + [number(round(figure / PUBLISHED[name][0], 2)) for figure in PUBLISHED[name][1:]]
            for name in PUBLISHED
            if name in results["operations"]
        ],
    )
    yield (
        "Workloads of mini_kernel",
        "Instructions natively, and how many times as many under each engine.",
        ["workload", "native", *NAMES],
        [
            [name, number(row.get("native", {}).get("ticks")), *(times(row, way) for way in NAMES)]
            for name, row in results["workloads"].items()
        ],
    )
    yield (
        "Marks",
        "What this project has promised itself. `extra` is beyond native.",
        ["row", "engine", "measure", "at most", "measured", "holds"],
        [
            [m["row"], m["engine"], m["measure"], number(m["most"]), number(m["measured"]), verdict(m["holds"])]
            for m in results["marks"]
        ],
    )
    if results["failures"]:
        yield (
            "Not measured",
            "These rows have failed; the others do not depend on them.",
            ["row", "engine", "why"],
            [[f["row"], f["way"], f["why"]] for f in results["failures"]],
        )


def millions(ticks):
    return f"{ticks / 1e6:,.1f}"


def per_native(row, ticks):
    return f"{ticks / row['native']['ticks']:,.2f}x" if "native" in row else "?"


def linux_cells(name, row, others):
    what, _, goal = linux.ROWS[name]
    mine = row.get("translate")
    cells = [what, millions(row["native"]["ticks"]) if "native" in row else "?"]
    if mine:
        cells += [millions(mine["ticks"]), per_native(row, mine["ticks"]), number(mine["entries"]), per_native(row, linux.weighted(mine))]
    else:
        cells += ["?"] * 4
    return cells + [f"{goal:g}x", *(as_ratio(peers.weighted_ratio(others, peer, name)) for peer in peers.SHOWN)]


def as_ratio(figure):
    return "?" if figure is None else f"{figure:,.2f}x"


def linux_table(rows, others):
    return (
        "Linux",
        "Debian's unmodified Linux for i686 with busybox, 128 MB. Instructions in millions, ratio to native, and entries into ring 0; "
        f"`weighted` counts {linux.ENTRY_WEIGHT} more for each entry. The peers have the same guest on the same machine, and "
        f"{peers.EXIT_WEIGHT:,} more for each exit of KVM.",
        ["work", "native, M", "translate, M", "ratio", "entries", "weighted", "goal", *peers.SHOWN.values()],
        [linux_cells(name, row, others) for name, row in rows.items()],
    )


def peer_cells(row, others):
    cells = [linux.ROWS[row][0]]
    for name, peer in others.items():
        one, weighted = peer["linux"].get(row, {}), as_ratio(peers.weighted_ratio(others, name, row))
        cells += [millions(one[name]["ticks"]) if one else "?", as_ratio(peers.ratio(others, name, row))]
        cells += [number(one.get(name, {}).get("exits")), weighted] if name != peers.WITHOUT_EXITS else []
    return cells


def peers_table(others):
    header = ["work"]
    for name in others:
        header += [f"{peers.SHOWN[name]}, M", "ratio", *(["exits", "weighted"] if name != peers.WITHOUT_EXITS else [])]
    ways = {name: f"on {peer['date']}, {peer['machine']}, Linux {peer['kernel']}" for name, peer in others.items()}
    if len(set(ways.values())) == 1:
        how = next(iter(ways.values()))
    else:
        how = "; ".join(f"`{name}` {way}" for name, way in ways.items())
    return (
        "The peers",
        "What they have taken, in millions of instructions of the machine beneath them all, the ratio to native, and exits of KVM. "
        f"Measured by `make bench-peers`: {how}.",
        header,
        [peer_cells(row, others) for row in linux.ROWS],
    )


def guest_parts(name, causes, results):
    """What ran in the guest's world, in two: as many instructions as natively, and what translation has added."""
    native = results["linux"].get(name, {}).get("native", {}).get("ticks")
    parts = {cause: one["ticks"] for cause, one in causes.items()}
    if native is not None and parts.get("guest", 0) > native:
        parts["added by translation"] = parts.pop("guest") - native
        parts["as many as natively"] = native
    return parts


def causes_table(results):
    split = {name: guest_parts(name, causes, results) for name, causes in results["causes"].items()}
    total = {}
    for parts in split.values():
        for cause, ticks in parts.items():
            total[cause] = max(total.get(cause, 0), ticks / sum(parts.values()))
    shown = sorted((cause for cause, share in total.items() if share >= 0.005), key=lambda cause: -total[cause])
    rows = [[cause, *(millions(parts.get(cause, 0)) for parts in split.values())] for cause in shown]
    rows.append(["all else", *(millions(sum(t for c, t in parts.items() if c not in shown)) for parts in split.values())])
    rows.append(["**sum**", *(millions(sum(parts.values())) for parts in split.values())])
    measured = [results["linux"].get(name, {}).get("translate", {}).get("ticks") for name in split]
    rows.append(["measured without the account", *("?" if ticks is None else millions(ticks) for ticks in measured)])
    return (
        "Where the instructions go",
        "Millions of instructions under translate, by cause; what is below 0.5 % of every row is `all else`. An instruction's name is "
        "a callout or trap that interprets it. Measured by a run of its own, which keeps the account (boot option `account=causes`); "
        "what keeping it costs is left out.",
        ["cause", *split],
        rows,
    )


def cell(measured):
    entries = f" ({number(measured['entries'])})" if "entries" in measured else ""
    return number(measured.get("ticks")) + entries


def times(row, way):
    found = ratio(row, way) if "native" in row else None
    return "?" if found is None else f"{found:,.2f}x"


def verdict(holds):
    return "?" if holds is None else "yes" if holds else "**no**"


def about(results):
    return [
        f"Tree {results['tree']}, {results['machine']}.",
        "Every number repeats: `make bench`. Under `--deterministic` one tick of the time-stamp counter is one instruction; "
        "one that traps counts as one, so entries into ring 0 are counted beside it.",
    ]


def markdown_table(header, rows):
    return [f"| {' | '.join(header)} |", "| --- " * len(header) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def markdown(results):
    lines = ["# Benchmarks", "", *about(results), ""]
    for heading, sentence, header, rows in tables(results):
        lines += [f"## {heading}", "", sentence, "", *markdown_table(header, rows), ""]
    return "\n".join(lines)


def page(results, drawn):
    parts = ["<!doctype html><meta charset='utf-8'><title>Ringfence: benchmarks</title>", STYLE, "<h1>Benchmarks</h1>"]
    parts += [f"<p>{plain(sentence)}</p>" for sentence in about(results)]
    for heading, sentence, header, rows in tables(results):
        parts.append(f"<h2>{heading}</h2><p>{plain(sentence)}</p><table><tr>")
        parts += [f"<th>{html.escape(name)}</th>" for name in header]
        parts += ["</tr><tr>" + "".join(f"<td>{plain(text)}</td>" for text in row) for row in rows]
        parts.append("</tr></table>")
        if heading == "Operations":
            parts.append(picture(results))
        if heading == "Linux":
            parts.append(drawn["benchmarks.svg"])
    for name, (_, what, why) in growth.GROWTHS.items():
        if f"growth-{name}.svg" in drawn:
            parts.append(f"<h2>How cost grows: {what}</h2>{drawn[f'growth-{name}.svg']}<p>{plain(why)}</p>")
    return "\n".join(parts) + "\n"


STYLE = (
    "<style>body{font:15px sans-serif;max-width:70em;margin:2em auto}td,th{padding:.2em .7em;border-bottom:1px solid #ddd;"
    "text-align:right}td:first-child,th:first-child{text-align:left}</style>"
)


def plain(text):
    return html.escape(text.replace("**", "").replace("`", ""))


def picture(results):
    """Instructions of each operation, as bars on a logarithmic axis."""
    bars = [
        (name, [(way, row[way]["ticks"]) for way in NAMES if row.get(way, {}).get("ticks", 0) > 0])
        for name, row in results["operations"].items()
    ]
    decades = max((math.ceil(math.log10(ticks + 1)) for _, ways in bars for _, ticks in ways), default=1)
    scale = (WIDTH - LEFT - 20) / decades
    step = len(NAMES) * BAR + GAP
    height = len(bars) * step + 60
    shapes = []
    for decade in range(decades + 1):
        x = LEFT + decade * scale
        shapes.append(f"<path d='M{x:.0f} 20V{height - 40}' stroke='#ddd'/><text x='{x:.0f}' y='{height - 25}'>{10**decade:,}</text>")
    for index, (name, ways) in enumerate(bars):
        shapes.append(f"<text x='5' y='{index * step + 45}'>{name}</text>")
        for way, ticks in ways:
            y = index * step + 25 + NAMES.index(way) * BAR
            shapes.append(f"<rect x='{LEFT}' y='{y}' width='{max(2, math.log10(max(ticks, 1)) * scale):.1f}' height='{BAR - 1}' fill='{COLOURS[way]}'/>")
    for index, way in enumerate(NAMES):
        shapes.append(f"<text x='{LEFT + index * 110}' y='14' fill='{COLOURS[way]}'>{way}</text>")
    shapes.append(f"<text x='{LEFT}' y='{height - 6}'>instructions for one operation</text>")
    return f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' height='{height}' font-family='sans-serif' font-size='12'>{''.join(shapes)}</svg>"
