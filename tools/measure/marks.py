"""What the numbers are compared with: published figures, and what this project has promised itself."""

from collections import namedtuple

# Adams and Agesen, ASPLOS 2006, cycles on a Pentium 4: natively, by binary translation, by the first hardware VMM.
PUBLISHED = {
    "syscall": (242, 2308, 242),
    "in": (3209, 210, 15826),
    "callret": (11, 51, 11),
    "pgfault": (1093, 3927, 11242),
    "divzero": (889, 3223, 1014),
    "ptemod": (1, 391, 12733),
}

# measure: `ticks` of one operation, `extra` ticks beyond native, `entries` into ring 0, or the `ratio` to native.
Mark = namedtuple("Mark", "row engine measure most")
MARKS = (
    Mark("cli", "trap", "ticks", 600),
    Mark("pgfault_taken", "trap", "ticks", 1500),
    Mark("prime", "interpret", "ratio", 150),
    Mark("cli_sti", "translate", "extra", 1),
    Mark("callret", "translate", "extra", 10),
    Mark("pushf_popf", "translate", "extra", 20),
    Mark("indirect_call", "translate", "extra", 12),
    Mark("syscall", "translate", "extra", 60),
    Mark("syscall", "translate", "entries", 0),
    Mark("segment_load", "translate", "extra", 12),
    Mark("ptemod", "translate", "extra", 250),
    Mark("pgfault", "translate", "extra", 500),
    Mark("pgfault", "translate", "entries", 1),
    Mark("straight", "translate", "extra", 0),
    Mark("straight_user", "translate", "extra", 0),
)

# A batch also goes into its ring and back through the monitor, whose way differs by some tens of instructions from time
# to time; entries have a few more at the start and the end of the guest. Over all turns that is less than this for one.
TOLERANCE = {"entries": 0.05, "ticks": 0.25, "extra": 0.25, "ratio": 0}


def value(mark, rows):
    """What was measured for a mark, None where that is not known."""
    row = rows.get(mark.row, {})
    mine, native = row.get(mark.engine, {}), row.get("native", {})
    if mark.measure == "entries":
        return mine.get("entries")
    if mark.measure == "ticks":
        return mine.get("ticks")
    if "ticks" not in mine or "ticks" not in native:
        return None
    if mark.measure == "extra":
        return round(mine["ticks"] - native["ticks"], 2)
    return round(mine["ticks"] / native["ticks"], 2)


def judge(rows):
    """Each mark with what was measured and whether it holds; None where nobody knows."""
    judged = []
    for mark in MARKS:
        measured = value(mark, rows)
        holds = None if measured is None else measured <= mark.most + TOLERANCE[mark.measure]
        judged.append(mark._asdict() | {"measured": measured, "holds": holds})
    return judged
