"""The command: what is run, in which order, and what becomes of what fails."""

import argparse
import json
import platform
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from . import linux, report, runs
from .marks import judge

ENGINES = ("trap", "interpret", "translate")
COUNTED = ("trap", "translate")  # interpreted guests never leave ring 0
WORKLOADS = ("prime", "call", "fork", "pages", "switch", "stress")
TICKS_TIMES, ENTRIES_TIMES = 1000, 200  # entries are whole numbers: fewer turns tell them
TIMEOUT = 60
WORKERS = 2
SCHEMA = 2
LINUX = "linux"


class Refusal(Exception):
    """Nothing can be measured; the text says why in one sentence."""


class Bench:
    def __init__(self, build, rows):
        self.rows = rows
        self.nanobench, self.mini_kernel = build / "guest" / "nanobench.elf", build / "guest" / "mini_kernel.elf"
        self.yardstick = build / "yardstick"
        self.operations, self.workloads, self.linux, self.causes = {}, {}, {}, {}
        self.failures = []
        self.done = self.total = 0
        self.lock = threading.Lock()

    def measure(self):
        try:
            native = runs.operations(self.nanobench, TIMEOUT)
        except runs.Failure as failure:
            raise Refusal(f"nanobench does not even run natively: {failure}") from None
        unknown = [row for row in self.rows if row not in native and row not in (*WORKLOADS, LINUX)]
        if unknown:
            raise Refusal(f"{unknown[0]} is not a row; there are {', '.join([*native, *WORKLOADS, LINUX])}")
        jobs = []
        for name, (ticks, baseline, what) in native.items():
            if not self._wanted(name):
                continue
            self.operations[name] = {"what": what, "native": {"ticks": ticks}}
            jobs += [(self._operation, name, engine, baseline) for engine in ENGINES]
        for name in filter(self._wanted, WORKLOADS):
            self.workloads[name] = {}
            jobs += [(self._work, name, way) for way in (runs.NATIVE, *ENGINES)]
        if self._wanted(LINUX):
            jobs = self._linux_jobs() + jobs
        self.total = len(jobs)
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda job: self._row(*job), jobs))

    def _linux_jobs(self):
        """The long ones, so they begin first."""
        return [(self._linux, LINUX, way) for way in reversed(linux.WAYS)] + [(self._split, LINUX, "causes")]

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

    def _check_linux(self):
        for name in ("linux", "initrd"):
            if not (runs.ROOT / self.yardstick / name).exists():
                raise runs.Failure(f"{self.yardstick / name} is not there; `make linux` fetches Debian's Linux, `make yardstick` makes it")

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
            "tree": first_line(["git", "describe", "--always", "--dirty"]) or "without git",
            "machine": f"{first_line(['qemu-system-i386', '--version'])}, on {platform.machine()}",
            "commands": [" ".join(word if " " not in word else f'"{word}"' for word in words) for words in sample],
            "operations": self.operations,
            "workloads": self.workloads,
            "linux": {name: self.linux[name] for name in linux.ROWS if name in self.linux},
            "causes": self.causes,
            "marks": judge(self.operations | self.workloads),
            "failures": self.failures,
        }


def first_line(words):
    try:
        done = subprocess.run(words, cwd=runs.ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.partition("\n")[0]


def main(arguments):
    parser = argparse.ArgumentParser(description="Measures the guests natively and under each engine (make bench).")
    parser.add_argument("rows", metavar="ROW", nargs="*", help="an operation of nanobench or a workload of mini_kernel (default all)")
    parser.add_argument("--build", type=Path, default=Path("build"), help="where things are built (default build)")
    parser.add_argument("--output", type=Path, help="the folder of the report (default bench in the build folder)")
    options = parser.parse_args(arguments)
    bench = Bench(options.build, options.rows)
    try:
        check_built(options.build / "ringfence.elf", bench.nanobench, bench.mini_kernel)
        bench.measure()
    except Refusal as refusal:
        sys.stderr.write(f"bench: {refusal}\n")
        return 2
    write(options.output or runs.ROOT / options.build / "bench", bench.results())
    if bench.failures:
        sys.stderr.write(f"bench: {len(bench.failures)} of {bench.total} rows could not be measured; the report says why\n")
    return 1 if bench.failures else 0


def check_built(*files):
    for needed in files:
        if not (runs.ROOT / needed).exists():
            raise Refusal(f"{needed} is not built; `make` builds it")


def write(folder, results):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "report.md").write_text(report.markdown(results))
    (folder / "report.html").write_text(report.page(results))
    kept = [mark["holds"] for mark in results["marks"]]
    print(f"bench: {kept.count(True)} of {len(kept)} marks hold, {kept.count(None)} are not known; see {folder}/report.html")
