"""How the cost of one operation grows with the number of what it works on (guest/growth)."""

import re

from . import runs

LINE = re.compile(r"^growth \w+ size=(\d+) first=(\d+\.\d\d) again=(\d+\.\d\d)\r?$", re.MULTILINE)
WAYS = (runs.NATIVE, "trap", "translate")
TIMEOUT = 240
SPACES_HELD = 400  # where memory grows

# name -> sizes, what the axis counts, and what the curve shows and why it bends.
GROWTHS = {
    "spaces": (
        (1, 10, 50, 100, 200, 500, 1000),
        "address spaces (processes) taken in turn",
        "To load CR3 and read one page. Shadow tables of an address space are kept, so the second round costs what a switch costs; "
        "it bends up where the shadow tables of all spaces do not fit in the pool any more (512 pages for a guest of 64 MB) and have "
        "to be made anew each time.",
    ),
    "pages": (
        (16, 256, 4096, 16384, 65536, 262144),
        "pages read in turn",
        "To read one page. The first time a table of the guest is met its entries are filled into the shadow, many at once, which "
        "is why one page costs less than a fault; the second round is free until the tables of all pages do not fit in the pool.",
    ),
    "blocks": (
        (10, 100, 1000, 10000, 50000, 100000),
        "pieces of code that each jump to the next",
        "To run two instructions, of which one jumps. The first round translates; the second runs chained blocks, as fast as "
        "natively but for the way in and out. It bends up where all of them do not fit in the cache: it is emptied as a whole, "
        "and each round translates everything again.",
    ),
    "memory": (
        (64, 128, 256, 512, 1024, 2048),
        "MB of guest memory",
        f"To load CR3 and read one page with {SPACES_HELD} address spaces, second round. The pool of shadow tables grows with the "
        "guest's memory, so the cost falls once they all fit, and is level from there on.",
    ),
}


def measure(guest, name, way, size):
    """(the first round, the second), in ticks for one."""
    what, number, memory = ("spaces", SPACES_HELD, size) if name == "memory" else (name, size, 64)
    text, _ = runs.run(guest, way, f"what={what} size={number}", TIMEOUT, memory)
    found = LINE.search(text)
    if not found:
        raise runs.Failure("the guest ended without its line")
    return float(found[2]), float(found[3])
