"""The plots of tools/bench, and how figures get into docs/."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from measure import growth, pictures, plot, publish, runs  # noqa: E402

LINUX = {"dd": {"native": {"ticks": 50}, "translate": {"ticks": 100, "entries": 0}}, "fork": {"translate": {"ticks": 5, "entries": 0}}}
GROWTH = {"pages": {"native": [(16, 5.8, 5.8), (256, 5.0, 5.0)], "translate": [(16, 800.0, 9.0), (256, 700.0, 0.0)]}, "blocks": {}}
NOTHING = {"operations": {}, "workloads": {}, "causes": {}, "peers": {}, "marks": [], "failures": [], "tree": "a", "machine": "b"}
PEERS = {"tcg": {"date": "", "machine": "", "kernel": "", "linux": {"dd": {"native": {"ticks": 10}, "tcg": {"ticks": 80}}}}}
RESULTS = NOTHING | {"linux": LINUX, "peers": PEERS, "growth": GROWTH}


@pytest.mark.parametrize("values, powers", [([5, 80], (0, 2)), ([10, 10], (1, 2)), ([0.5, 7], (-1, 1)), ([1000], (3, 4))])
def test_axes_hold_all_values(values, powers):
    assert plot.decades(values) == powers


def test_each_line_is_drawn_and_named():
    root = ElementTree.fromstring(plot.lines([("one <", "red", True, [(1, 1), (100, 10)])], "sizes", "cost"))
    drawn = root.findall("{*}polyline")
    assert [line.get("points") for line in drawn] == ["90.0,330.0 530.0,30.0"]
    assert drawn[0].get("stroke-dasharray")
    assert {"one <", "sizes", "cost"} <= {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}


def test_a_bar_for_each_value_that_is_known():
    made = pictures.pictures(RESULTS)
    assert set(made) == {"growth-pages.svg", "benchmarks.svg"}
    root = ElementTree.fromstring(made["benchmarks.svg"])
    assert len(root.findall("{*}rect")) == 1 + 3 + 1  # the ground, and what of fork is wanted
    assert {"2.00", "8.00"} <= {text.text for text in root.iter("{http://www.w3.org/2000/svg}text")}


def test_figures_stand_between_their_marks():
    text = publish.replaced(f"before\n{publish.BEGIN}\nOLD FIGURES\n{publish.END}\nafter\n", publish.figures(RESULTS, pictures.pictures(RESULTS)))
    assert text.startswith(f"before\n{publish.BEGIN}\n") and text.endswith(f"{publish.END}\nafter\n")
    assert "OLD FIGURES" not in text
    assert "### Linux" in text and "![cost against pages read in turn](growth-pages.svg)" in text
    with pytest.raises(publish.Unpublished, match="lacks the line <!-- end of figures -->"):
        publish.replaced(publish.BEGIN, "new")


def test_without_results_nothing_is_published(tmp_path):
    with pytest.raises(publish.Unpublished, match="`make bench` writes it"):
        publish.publish(tmp_path)


def test_the_page_has_room_for_figures():
    assert publish.replaced((ROOT / "docs" / "benchmarks.md").read_text(), "")


@pytest.mark.parametrize("way", growth.WAYS)
@pytest.mark.parametrize("name, cost", [("spaces", 7.2), ("pages", 6.4), ("blocks", 2.6)])
def test_growth_is_measured(name, cost, way):
    first, again = growth.measure("build/guest/growth.elf", name, way, 10)
    if way == runs.NATIVE:
        assert (first, again) == (pytest.approx(cost, abs=0.5), pytest.approx(cost, abs=0.5))
    assert first >= again > 0


@pytest.mark.parametrize("append, sentence", [
    ("what=walks size=3", "growth: what=NAME is spaces, pages or blocks"),
    ("what=pages size=0", "growth: size=N is a number that is not too large for this"),
    ("what=spaces size=2001", "growth: size=N is a number that is not too large for this"),
])  # fmt: skip
def test_a_wrong_option_of_growth_is_named(append, sentence):
    with pytest.raises(runs.Failure, match=sentence):
        runs.run("build/guest/growth.elf", runs.NATIVE, append, 20)
