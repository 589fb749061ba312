"""What is drawn of the results: file name -> SVG."""

from . import growth, linux, peers, plot

BAR_COLOURS = ("#3a6ea5", "#7fb069", "#c0504d", "#9a9a9a")
DRAWN = ("tcg", "kvm-shadow")


def linux_bars(rows, others):
    """Ratios to native: ours, what is wanted, and two others."""
    groups = []
    for name, row in rows.items():
        what, _, goal = linux.ROWS[name]
        measured = linux.weighted(row["translate"]) / row["native"]["ticks"] if "translate" in row and "native" in row else None
        groups.append((what, [measured, goal, *(peers.weighted_ratio(others, peer, name) for peer in DRAWN)]))
    names = ("Ringfence", "its goal", *(peers.SHOWN[peer] for peer in DRAWN))
    return plot.bars(groups, names, BAR_COLOURS, "weighted cost, times native (a bar that is not there is 1: nothing lost)")


def growth_lines(name, ways):
    series = []
    for way, points in ways.items():
        if name != "memory":
            series.append((f"{way}, first", plot.COLOURS[way], True, [(size, max(first, 0.1)) for size, first, _ in points]))
        series.append((f"{way}, again", plot.COLOURS[way], False, [(size, max(again, 0.1)) for size, _, again in points]))
    return plot.lines(series, growth.GROWTHS[name][1], "instructions for one")


def pictures(results):
    made = {f"growth-{name}.svg": growth_lines(name, ways) for name, ways in results["growth"].items() if ways}
    if results["linux"]:
        made["benchmarks.svg"] = linux_bars(results["linux"], results["peers"])
    return made
