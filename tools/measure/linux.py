"""The yardstick: six pieces of work inside Debian's Linux (guest/linux/yardstick.c), natively and under the engines."""

from . import account, runs

MEMORY = "128M"
LINE = (
    "console=ttyS0 nokaslr noisapnp mitigations=off cryptomgr.notests tsc=reliable quiet pci=off pnpbios=off panic=-1 "
    "reboot=t i8042.nokbd i8042.noaux"
)
# What each row is, how often it does it, and what this project wants of it: ratio to native.
ROWS = {
    "boot": ("reset to shell", 1, 1.5),
    "fork": ("fork, exec, exit, wait of busybox true", 200, 1.5),
    "dd": ("dd, blocks of 4 KB", 20000, 1.05),
    "sha256": ("sha256 of 32 MB (user code)", 1, 1.01),
    "pingpong": ("round trips between two processes", 5000, 1.3),
    "getppid": ("getppid by int 0x80", 50000, 1.15),
}
ENTRY_WEIGHT = 300  # plain instructions that an entry into ring 0 counts for
DONE = 33  # the guest's own status (V << 1) | 1

# Under trap this Linux does not start, for it is not written for ring 1; interpreted it takes more than ten minutes.
WAYS = {
    runs.NATIVE: ["--native"],
    "translate": ["--engine", "translate", "--boot", "account=counters"],
}
TIMEOUT = 300
ENGINE = "translate"
UNEXPLAINED = 0.03  # by so much the causes of a row may differ from what it took: Linux measures its clock once more, or not
SPLIT = ["--engine", "translate", "--boot", "account=causes"]


def command(folder, options):
    files = [str(folder / "linux"), "--initrd", str(folder / "initrd")]
    return ["./ringfence", "run", *files, *options, "--deterministic", "--memory", MEMORY, "--append", LINE]


def commands(folder):
    return [command(folder, options) for options in (*WAYS.values(), SPLIT)]


def run(folder, options, timeout):
    text = runs.log_of(command(folder, options), timeout, DONE)
    rows = account.rows(text)
    missing = [name for name in ROWS if name not in rows]
    if missing:
        raise runs.Failure(f"it ended without its row {missing[0]}")
    return rows


def entries(rows, name):
    """Into ring 0, less what the lines cost that say where a row begins and ends."""
    of_lines = rows["nothing"].counters.get("world_switches", 0) if "nothing" in rows else 0
    return max(0, rows[name].counters.get("world_switches", 0) - (0 if name == "boot" else of_lines))


def measure(folder, way):
    """name -> ticks, and but natively entries, for each row."""
    rows = run(folder, WAYS[way], TIMEOUT)
    found = {name: {"ticks": rows[name].ticks} for name in ROWS}
    if way == "translate":
        for name, row in found.items():
            row["entries"] = entries(rows, name)
    return found


def named(causes):
    """Without the numbers that rows of opcodes.def have, and without what counting itself has cost."""
    joined = {}
    for name, value in causes.items():
        name = name.partition(":")[0]
        joined[name] = joined.get(name, 0) + value
    joined.pop("accounting", None)
    return joined


def split(folder):
    """name -> ticks by cause, and how often each came, of a run that keeps the account."""
    found = {}
    for name, row in run(folder, SPLIT, TIMEOUT).items():
        if name in ROWS:
            counts = {key[len("entries:") :]: n for key, n in row.counters.items() if key.startswith("entries:")}
            counts = named(counts)
            ticks = named(row.causes)
            found[name] = {cause: {"ticks": ticks[cause], "count": counts.get(cause, 0)} for cause in ticks}
    return found


def unexplained(rows, causes):
    """row -> what its causes add up to, of what was measured, for each where that is too far from 1."""
    shares = {}
    for name, parts in causes.items():
        measured = rows.get(name, {}).get(ENGINE, {}).get("ticks")
        if measured:
            shares[name] = sum(part["ticks"] for part in parts.values()) / measured
    return {name: share for name, share in shares.items() if abs(share - 1) > UNEXPLAINED}


def weighted(row):
    return row["ticks"] + ENTRY_WEIGHT * row.get("entries", 0)
