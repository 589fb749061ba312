"""The peers: the yardstick in QEMU's own translation (TCG) and in KVM, inside a Linux that runs on the same virtual machine
as everything else that is measured. Its time-stamp counter is what the innermost guest reads, so a tick is an instruction of
that machine, whoever executes it: guest, KVM, Linux or QEMU."""

import argparse
import datetime
import json
import platform
import re
import signal
import sys
import tempfile
import time
from pathlib import Path

from launcher import qemu

from . import account, linux, outer, runs

SCHEMA = 2
EXIT_WEIGHT = 1500  # plain instructions that an exit from KVM's guest counts for
TIMEOUT = 1800  # seconds for one row
RECORD = runs.ROOT / "tools" / "measure" / "peers.json"
RENEW = "make bench-peers bench-publish"
MEMORY = "1024M"  # of the machine in which they run
# QEMU inside would patch the guest's accesses to its APIC and write its registers back, with a TSS that is busy; the next
# fault in ring 3 then ends the QEMU outside, whose SVM takes such a TSS for none: "fatal: invalid tss type" (QEMU 7.2).
KVM = "pc,accel=kvm", "-global kvm-apic.vapic=off"
# name: what it is, KVM's parameter npt, QEMU's machine and what else QEMU is told
PEERS = {
    "kvm-nested": ("KVM, nested paging", "1", *KVM),
    "kvm-shadow": ("KVM, shadow paging (npt=0)", "0", *KVM),
    "tcg": ("QEMU TCG inside Linux", "", "pc,accel=tcg", ""),
}
WITHOUT_EXITS = "tcg"
SHOWN = {"tcg": "QEMU TCG inside Linux", "kvm-shadow": "KVM, npt=0", "kvm-nested": "KVM, nested"}  # as columns of tables
ENDED = re.compile(r"^guest: ended (\d+)", re.MULTILINE)
# What guest/linux/peers_init cannot have.
MISSING = {
    "svm": "the processor of this QEMU has no SVM (AMD-V), which KVM needs",
    "npt": "the SVM of this QEMU has not the kind of paging that is to be measured",
}


class Refusal(Exception):
    """Nothing can be measured; the text says why in one sentence."""


def inner_options(name):
    """QEMU's inside Linux: the machine that has the yardstick natively, but for who executes it."""
    _, _, machine, more = PEERS[name]
    words = " ".join(qemu.MACHINE).replace("pc,accel=tcg", machine).split()
    return " ".join([*words, *more.split(), "-cpu", qemu.DEFAULT_CPU, "-m", linux.MEMORY, "-serial null -serial null"])


def outer_line(name):
    """Words that the kernel does not know become the environment of guest/linux/peers_init."""
    return (
        "console=ttyS0 quiet tsc=reliable nokaslr mitigations=off cryptomgr.notests panic=-1 "
        f'NPT={PEERS[name][1]} OPTIONS="{inner_options(name)}" LINE="{linux.LINE}"'
    )


def command(folder, name, cpu=qemu.DEFAULT_CPU):
    files = ["-kernel", str(folder / "linux"), "-initrd", str(folder / "initrd"), "-append", outer_line(name)]
    return ["qemu-system-x86_64", *qemu.MACHINE, "-cpu", cpu, "-m", MEMORY, *qemu.DETERMINISTIC, *files]


def found_in(text):
    """name -> ticks and, of KVM, exits, less those of the lines that say where a row begins and ends."""
    rows = account.rows(text.partition("guest: ended ")[0])  # KVM has forgotten its counts by then
    of_lines = rows["nothing"].counters.get("exits", 0) if "nothing" in rows else 0
    found = {}
    for name in filter(rows.get, linux.ROWS):
        found[name] = {"ticks": rows[name].ticks}
        if "exits" in rows[name].counters:
            found[name]["exits"] = max(0, rows[name].counters["exits"] - (0 if name == "boot" else of_lines))
    return found


def why_not(text, ending, console):
    """Why a run ended before its last row, in one sentence."""
    failed = re.search(r"^guest: failed (.+?)\r?$", text, re.MULTILINE)
    if failed:
        return MISSING.get(failed[1], f"in the guest, {failed[1]} failed")
    if ending:
        return ending
    said = (console.strip().splitlines() or ["it said nothing"])[-1].strip()
    status = ENDED.search(text)
    return f"the QEMU inside ended with status {status[1]}: {said}" if status else f"the Linux ended before its time: {said}"


def measure(folder, name, native, timeout, cpu=qemu.DEFAULT_CPU):
    """The rows of one peer, and [row, way, why] of those that it lacks."""
    seen, began = set(), time.monotonic()

    def progress(text):
        for row, one in found_in(text).items():
            if row not in seen:
                seen.add(row)
                ratio = one["ticks"] / native[row]["ticks"]
                exits = f", {one['exits']:,} exits" if "exits" in one else ""
                print(f"bench-peers: {name} {row}: {one['ticks']:,}, {ratio:.2f}x{exits}, after {time.monotonic() - began:.0f} s", flush=True)

    with tempfile.TemporaryDirectory(prefix="peers-") as kept:
        text, ending, console = outer.run(command(folder, name, cpu), Path(kept), progress, timeout)
    rows = found_in(text)
    missing = [row for row in linux.ROWS if row not in rows]
    reasons = [why_not(text, ending, console)] + ["it comes after one that failed"] * len(missing)
    failures = [{"row": row, "way": name, "why": why} for row, why in zip(missing, reasons)]
    for failure in failures[:1]:
        print(f"bench-peers: {name} {failure['row']}: failed: {failure['why']}", flush=True)
    return rows, failures


def described(folder, name, native, rows):
    return {
        "what": PEERS[name][0],
        "date": datetime.date.today().isoformat(),
        "machine": f"{version('qemu-system-x86_64')}, on {platform.machine()}",
        "kernel": f"{versions(runs.ROOT / folder / 'modules-amd64')}, its guest {versions(runs.ROOT / folder.parent / 'linux' / 'modules-686')}",
        "commands": [" ".join(f"'{word}'" if " " in word else word for word in command(folder, name))],
        "linux": {row: {"native": native[row], name: one} for row, one in rows.items()},
    }


def versions(folder):
    return ", ".join(sorted(path.name for path in folder.glob("*"))) or "unknown"


def version(program):
    return runs.first_line([program, "--version"])


def check_built(folder, yardstick):
    for needed in (folder / "linux", folder / "initrd", yardstick / "linux", yardstick / "initrd"):
        if not (runs.ROOT / needed).exists():
            raise Refusal(f"{needed} is not there; `make bench-peers` makes it")
    if not version("qemu-system-x86_64"):
        raise Refusal("there is no qemu-system-x86_64; `tools/setup run` installs it")


def read(path):
    """peer -> what is known of it, of a file that may not be there."""
    try:
        return json.loads(path.read_text())["peers"] if path.exists() else {}
    except (OSError, ValueError, KeyError) as error:
        raise Refusal(f"{path} cannot be read ({error}); `{RENEW}` writes it anew") from None


def is_whole(peer):
    return all(row in peer["linux"] for row in linux.ROWS)


def known(folder):
    """What is recorded in the tree, and over it what has been measured here with all its rows."""
    measured = {name: peer for name, peer in read(folder / "peers.json").items() if is_whole(peer)}
    return in_order(read(RECORD) | measured)


def ratio(peers, name, row, of_exits=0):
    """To the native run of the same day; None where it is not known."""
    found = peers.get(name, {}).get("linux", {}).get(row)
    return (found[name]["ticks"] + of_exits * found[name].get("exits", 0)) / found["native"]["ticks"] if found else None


def weighted_ratio(peers, name, row):
    return ratio(peers, name, row, EXIT_WEIGHT)


def write_record(peers):
    RECORD.write_text(json.dumps({"renewed by": RENEW, "schema": SCHEMA, "peers": in_order(peers)}, indent=1) + "\n")


def in_order(peers):
    return {name: peers[name] for name in SHOWN if name in peers}


def measured(options):
    build = options.build
    folder, yardstick = build / "peers", build / "yardstick"
    check_built(folder, yardstick)
    try:
        native = linux.measure(yardstick, runs.NATIVE)
    except runs.Failure as failure:
        raise Refusal(f"the yardstick does not even run natively: {failure}") from None
    output = (options.output or runs.ROOT / build / "bench") / "peers.json"
    output.parent.mkdir(parents=True, exist_ok=True)
    peers, failures = read(output), []
    for name in options.peers or PEERS:
        print(f"bench-peers: {name}: {PEERS[name][0]}", flush=True)
        rows, failed = measure(folder, name, native, options.timeout)
        peers[name], failures = described(folder, name, native, rows), failures + failed
        output.write_text(json.dumps({"schema": SCHEMA, "peers": in_order(peers), "failures": failures}, indent=1) + "\n")
    return output, failures


def main(arguments):
    parser = argparse.ArgumentParser(description="Measures the yardstick in QEMU and KVM inside Linux (make bench-peers).")
    parser.add_argument("peers", metavar="PEER", nargs="*", help=f"{', '.join(PEERS)} (default all)")
    parser.add_argument("--build", type=Path, default=Path("build"), help="where things are built (default build)")
    parser.add_argument("--output", type=Path, help="the folder of peers.json (default bench in the build folder)")
    parser.add_argument("--timeout", type=int, default=TIMEOUT, help=f"seconds for one row (default {TIMEOUT})")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no machine is left running
    unknown = [name for name in options.peers if name not in PEERS]
    try:
        if unknown:
            raise Refusal(f"{unknown[0]} is no peer; there are {', '.join(PEERS)}")
        output, failures = measured(options)
    except Refusal as refusal:
        sys.stderr.write(f"bench-peers: {refusal}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"bench-peers: see {output}; `make bench-publish` puts it into docs/")
    if failures:
        sys.stderr.write(f"bench-peers: {len(failures)} rows could not be measured; {output} says why\n")
    return 1 if failures else 0
