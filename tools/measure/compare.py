"""Two sets of results beside each other: another revision's, or the few that are recorded in the tree."""

import json
import subprocess

from . import runs
from .marks import TOLERANCE

WORSE = 0.02  # a row that got worse by more is marked
RECORD = runs.ROOT / "tools" / "measure" / "record.json"
RECORDED = ("cli_sti", "callret", "pushf_popf", "syscall", "pgfault", "ptemod", "call", "fork", "pages")
RECORDED_ENGINES = ("trap", "translate")
ALLOWED = 0.05  # beyond what is recorded
RENEW = "make bench-record"


class Broken(Exception):
    """There is nothing to compare with; the text says why in one sentence."""


def flat(results):
    """Every figure under its name: what, row, way, measure. Natively nothing of ours runs."""
    return {
        f"{table} {name} {way} {measure}": value
        for table in ("operations", "workloads", "linux")
        for name, row in results.get(table, {}).items()
        for way, one in row.items()
        if isinstance(one, dict) and way != runs.NATIVE
        for measure, value in one.items()
    }


def is_worse(name, before, after, share):
    return after > before * (1 + share) + TOLERANCE.get(name.rpartition(" ")[2], 0)


def worse(before, after, share):
    """What both have and is worse by more than that share: (name, before, after)."""
    return [(name, before[name], after[name]) for name in before if name in after and is_worse(name, before[name], after[name], share)]


def change(before, after):
    return f"{(after - before) / before:+.1%}" if before else "the same" if before == after else "from nothing"


def markdown(base, before, after):
    lines = [
        f"# Against {base}",
        "",
        f"Instructions and entries into ring 0. What is worse by more than {WORSE:.0%} is marked.",
        "",
        f"| row | {base} | now | change | |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name in before:
        if name not in after:
            lines.append(f"| {name} | {before[name]:,g} | not measured | | |")
            continue
        mark = "**worse**" if is_worse(name, before[name], after[name], WORSE) else ""
        lines.append(f"| {name} | {before[name]:,g} | {after[name]:,g} | {change(before[name], after[name])} | {mark} |")
    lines += [f"| {name} | not measured | {after[name]:,g} | | |" for name in after if name not in before]
    return "\n".join(lines) + "\n"


def check_out(base, build):
    """A work tree of the revision under the build folder, built; its path."""
    found = subprocess.run(
        ["git", "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}"], cwd=runs.ROOT, capture_output=True, text=True, check=False
    )
    revision = found.stdout.strip()
    if found.returncode or not revision:
        raise Broken(f"{base} is not a revision of this tree")
    tree = runs.ROOT / build / "base" / revision[:12]
    if not tree.exists():
        do(["git", "worktree", "prune"], runs.ROOT)
        do(["git", "worktree", "add", "--detach", str(tree), revision], runs.ROOT)
    do(["make", "-s", "build/ringfence.elf", "guests"], tree)
    return tree


def do(words, folder):
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Broken(f"`{' '.join(words)}` failed in {folder}: {said}")


def write_record(results):
    RECORD.write_text(json.dumps({"renewed by": RENEW, "figures": flat(results)}, indent=1) + "\n")


def read_record():
    try:
        return json.loads(RECORD.read_text())["figures"]
    except (OSError, ValueError, KeyError) as error:
        raise Broken(f"{RECORD.relative_to(runs.ROOT)} cannot be read ({error}); `{RENEW}` writes it anew") from None


def judge_record(results):
    """Sentences, one for each figure that is worse than recorded or is recorded and missing."""
    before, after = read_record(), flat(results)
    found = [f"{name} is {new:,g}, recorded are {old:,g} ({change(old, new)})" for name, old, new in worse(before, after, ALLOWED)]
    return found + [f"{name} is recorded, but was not measured" for name in before if name not in after]
