"""The command: what is run, in which order, and what becomes of what fails."""

import argparse
import json
import platform
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import compare, growth, linux, peers, report, runs
from .marks import judge
from .pictures import pictures
from .publish import Unpublished, publish

ENGINES = ("trap", "interpret", "translate")
COUNTED = ("trap", "translate")  # interpreted guests never leave ring 0
WORKLOADS = ("prime", "call", "fork", "pages", "switch", "stress")
TICKS_TIMES, ENTRIES_TIMES = 1000, 200  # entries are whole numbers: fewer turns tell them
TIMEOUT = 60
WORKERS = 2
SCHEMA = 2
LINUX, GROWTH = "linux", "growth"


class Refusal(Exception):
    """Nothing can be measured; the text says why in one sentence."""


class Bench:
    def __init__(self, build, rows, engines=ENGINES):
        self.rows, self.engines = rows, engines
        self.nanobench, self.mini_kernel = build / "guest" / "nanobench.elf", build / "guest" / "mini_kernel.elf"
        self.yardstick = runs.ROOT / build / "yardstick"
        self.operations, self.workloads, self.linux, self.causes = {}, {}, {}, {}
        self.peers = peers.known(runs.ROOT / build / "bench")
        self.growth = {name: {} for name in growth.GROWTHS}
        self.growth_guest = build / "guest" / "growth.elf"
        self.failures = []
        self.done = self.total = 0
        self.lock = threading.Lock()

    def measure(self):
        try:
            native = runs.operations(self.nanobench, TIMEOUT)
        except runs.Failure as failure:
            raise Refusal(f"nanobench does not even run natively: {failure}") from None
        self.rows = whole_guests(self.rows, native)
        unknown = [row for row in self.rows if row not in native and row not in (*WORKLOADS, LINUX, GROWTH)]
        if unknown:
            raise Refusal(f"{unknown[0]} is not a row; there are {', '.join([*native, *WORKLOADS, LINUX, GROWTH])}, and nanobench and mini_kernel for all of theirs")
        jobs = []
        for name, (ticks, baseline, what) in native.items():
            if not self._wanted(name):
                continue
            self.operations[name] = {"what": what, "native": {"ticks": ticks}}
            jobs += [(self._operation, name, engine, baseline) for engine in self.engines]
        for name in filter(self._wanted, WORKLOADS):
            self.workloads[name] = {}
            jobs += [(self._work, name, way) for way in (runs.NATIVE, *self.engines)]
        if self._wanted(LINUX):
            jobs = self._linux_jobs() + jobs
        if self._wanted(GROWTH):
            jobs += self._growth_jobs()
        self.total = len(jobs)
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda job: self._row(*job), jobs))
        for name, share in linux.unexplained(self.linux, self.causes).items():
            self.failures.append({"row": name, "way": "causes", "why": f"they add up to {share:.1%} of what was measured"})

    def _linux_jobs(self):
        """The long ones, so they begin first."""
        jobs = [(self._linux, LINUX, runs.NATIVE)]
        if linux.ENGINE in self.engines:
            jobs = [(self._linux, LINUX, linux.ENGINE), (self._split, LINUX, "causes"), *jobs]
        return jobs

    def _wanted(self, name):
        return not self.rows or name in self.rows

    def _row(self, function, name, way, *rest):
        try:
            said = function(name, way, *rest)
        except runs.Failure as failure:
            said = f"failed: {failure}"
            with self.lock:
                self.failures.append({"row": name, "way": way, "why": str(failure)})
        with self.lock:
            self.done += 1
            print(f"bench: {self.done}/{self.total} {way} {name}: {said}", flush=True)

    def _operation(self, name, engine, baseline):
        row = self.operations[name].setdefault(engine, {})
        row["ticks"] = runs.operation_ticks(self.nanobench, engine, name, TICKS_TIMES, TIMEOUT)
        if engine in COUNTED:
            row["entries"] = runs.entries(self.nanobench, engine, name, baseline, ENTRIES_TIMES, TIMEOUT)
        return report.cell(row)

    def _work(self, name, way):
        ticks, entries = runs.work(self.mini_kernel, way, name, TIMEOUT)
        row = {"ticks": ticks}
        if way in COUNTED:
            row["run_entries"] = entries
        self.workloads[name][way] = row
        return report.number(ticks)

    def _growth_jobs(self):
        ways = [way for way in growth.WAYS if way in (runs.NATIVE, *self.engines)]
        return [
            (self._grow, f"{name} of {size}", way, name, size)
            for name, (sizes, _, _) in growth.GROWTHS.items()
            for size in reversed(sizes)
            for way in ways
        ]

    def _grow(self, _row, way, name, size):
        first, again = growth.measure(self.growth_guest, name, way, size)
        with self.lock:
            points = self.growth[name].setdefault(way, [])
            points.append((size, first, again))
            points.sort()
        return f"{report.number(first)}, again {report.number(again)}"

    def _check_linux(self):
        for name in ("linux", "initrd"):
            if not (self.yardstick / name).exists():
                raise runs.Failure(f"build/yardstick/{name} is not there; `make linux` fetches Debian's Linux, `make yardstick` makes it")

    def _linux(self, _name, way):
        self._check_linux()
        for name, row in linux.measure(self.yardstick, way).items():
            with self.lock:
                self.linux.setdefault(name, {})[way] = row
        return f"{len(self.linux)} rows"

    def _split(self, _name, _way):
        self._check_linux()
        self.causes = linux.split(self.yardstick)
        return f"{len(self.causes)} rows"

    def results(self):
        sample = [
            runs.command(self.nanobench, "ENGINE", f"only=OPERATION times={TICKS_TIMES}"),
            runs.command(self.nanobench, "ENGINE", f"only=OPERATION part=operation times={ENTRIES_TIMES}"),
            runs.command(self.mini_kernel, "ENGINE", "bench=WORKLOAD"),
        ]
        sample += linux.commands(self.yardstick)
        return {
            "schema": SCHEMA,
            "tree": runs.first_line(["git", "describe", "--always", "--dirty"]) or "without git",
            "machine": f"{runs.first_line(['qemu-system-i386', '--version'])}, on {platform.machine()}",
            "commands": [" ".join(word if " " not in word else f'"{word}"' for word in words) for words in sample],
            "operations": self.operations,
            "workloads": self.workloads,
            "linux": {name: self.linux[name] for name in linux.ROWS if name in self.linux},
            "causes": self.causes,
            "peers": self.peers if self.linux else {},
            "growth": {name: in_order(ways) for name, ways in self.growth.items()},
            "marks": judge(self.operations | self.workloads),
            "failures": self.failures,
        }


def in_order(ways):
    return {way: ways[way] for way in growth.WAYS if way in ways}


def whole_guests(rows, operations):
    """A guest's name stands for all its rows."""
    guests = {"nanobench": list(operations), "mini_kernel": list(WORKLOADS)}
    return [one for row in rows for one in guests.get(row, [row])]


def main(arguments):
    parser = argparse.ArgumentParser(description="Measures the guests natively and under each engine (make bench).")
    parser.add_argument("rows", metavar="ROW", nargs="*", help="an operation, a workload, linux, growth, or all of a guest: nanobench, mini_kernel (default all)")
    parser.add_argument("--engine", choices=ENGINES, action="append", help="under this engine only; may be given again (default all)")
    parser.add_argument("--build", type=Path, default=Path("build"), help="where things are built (default build)")
    parser.add_argument("--output", type=Path, help="the folder of the report (default bench in the build folder)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--compare", metavar="REV", help="measure that revision as well, and show the differences")
    what.add_argument("--check", action="store_true", help="measure the rows that are recorded, and fail when one is worse by more than 5 %%")
    what.add_argument("--record", action="store_true", help="renew that record")
    what.add_argument("--publish", action="store_true", help="measure nothing; put the last results into docs/benchmarks.md and its plots")
    options = parser.parse_args(arguments)
    if options.check or options.record:
        options.rows, options.engine = compare.RECORDED, compare.RECORDED_ENGINES
    try:
        if options.publish:
            publish(folder_of(options))
            return 0
        if options.compare:
            return compared(options)
        bench = measured(options)
        return finish(options, bench)
    except (Refusal, compare.Broken, peers.Refusal, Unpublished) as refusal:
        sys.stderr.write(f"bench: {refusal}\n")
        return 2


def measured(options):
    bench = Bench(options.build, options.rows, tuple(options.engine or ENGINES))
    check_built(options.build / "ringfence.elf", bench.nanobench, bench.mini_kernel)
    bench.measure()
    return bench


def finish(options, bench):
    results = bench.results()
    if options.record and not bench.failures:
        compare.write_record(results)
    elif options.check:
        return 1 if complain(compare.judge_record(results)) or missing(bench) else 0
    else:
        write(folder_of(options), results)
    return missing(bench)


def folder_of(options):
    return options.output or runs.ROOT / options.build / "bench"


def missing(bench):
    """Status 1 when a row could not be measured."""
    if bench.failures:
        sys.stderr.write(f"bench: {len(bench.failures)} of {bench.total} rows could not be measured; the report says why\n")
    return 1 if bench.failures else 0


def complain(sentences):
    for sentence in sentences:
        sys.stderr.write(f"bench: {sentence}\n")
    if sentences:
        sys.stderr.write(f"bench: if that is meant to be, `{compare.RENEW}` renews the record\n")
    return bool(sentences)


def compared(options):
    """The other revision's tree first: when it does not build, nothing is lost."""
    tree = compare.check_out(options.compare, options.build)
    now = measured(options)
    runs.tree = tree
    print(f"bench: now {options.compare}", flush=True)
    before = Bench(Path("build"), options.rows, tuple(options.engine or ENGINES))
    before.yardstick = now.yardstick
    before.measure()
    runs.tree = runs.ROOT
    write(folder_of(options), now.results())
    old, new = compare.flat(before.results()), compare.flat(now.results())
    (folder_of(options) / "compare.md").write_text(compare.markdown(options.compare, old, new))
    found = compare.worse(old, new, compare.WORSE)
    for name, value, after in found:
        print(f"bench: worse: {name}: {value:,g}, now {after:,g} ({compare.change(value, after)})")
    print(f"bench: {len(found)} of {len(old)} figures are worse by more than {compare.WORSE:.0%}; see {folder_of(options)}/compare.md")
    return max(missing(before), missing(now))


def check_built(*files):
    for needed in files:
        if not (runs.ROOT / needed).exists():
            raise Refusal(f"{needed} is not built; `make` builds it")


def write(folder, results):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "report.md").write_text(report.markdown(results))
    drawn = pictures(results)
    (folder / "report.html").write_text(report.page(results, drawn))
    for name, picture in drawn.items():
        (folder / name).write_text(picture)
    kept = [mark["holds"] for mark in results["marks"]]
    print(f"bench: {kept.count(True)} of {len(kept)} marks hold, {kept.count(None)} are not known; see {folder}/report.html")
