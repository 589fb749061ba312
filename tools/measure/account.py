"""Reading the log of a run whose guest says on port 0xE9 which row it begins and ends (guest/linux/yardstick.c), with the
hypervisor's account (boot option account=) after each such line."""

import re

LINE = re.compile(r"^(?:ringfence: info )?guest: (begin|end|failed) (\S+)(?: (\S+))?$")
ENTRY = re.compile(r"^(?:ringfence: info )?account: (counter|cause) name=(\S+) count=(\d+)(?: ticks=(\d+))?$")


class Row:
    """What one row took: `ticks`, and how much each counter and each cause has grown meanwhile."""

    def __init__(self, name, ticks, counters, causes):
        self.name, self.ticks, self.counters, self.causes = name, ticks, counters, causes


def growth(before, after):
    return {name: value - before.get(name, 0) for name, value in after.items() if value != before.get(name, 0)}


def snapshots(text):
    """(word, name, what follows, counters, causes) for each line of the guest, with the account right behind it."""
    found = []
    for line in text.splitlines():
        said, entry = LINE.match(line.rstrip("\r")), ENTRY.match(line.rstrip("\r"))
        if said:
            found.append((said[1], said[2], said[3], {}, {}))
        elif entry and found and entry[1] == "counter":
            found[-1][3][entry[2]] = int(entry[3])
        elif entry and found and entry[2] not in found[-1][4]:
            found[-1][4][entry[2]] = int(entry[4])
            found[-1][3][f"entries:{entry[2]}"] = int(entry[3])
    return found


def rows(text):
    """The rows by name, in their order. The first line of "boot" has the ticks of its beginning."""
    begun, done = {}, {}
    for word, name, rest, counters, causes in snapshots(text):
        if word == "begin":
            begun[name] = (int(rest, 0) if rest else 0, counters, causes)
        elif word == "end" and name in begun:
            since, before, earlier = begun[name]
            done[name] = Row(name, int(rest, 0) - since, growth(before, counters), growth(earlier, causes))
    return done
