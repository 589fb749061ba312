"""./ringfence profile: where a guest spends its time, from the samples in the hypervisor's log, as folded stacks for flame
graphs: `outermost;…;innermost TIMES`, one stack a line."""

import re
from collections import Counter

SAMPLE = re.compile(r"ringfence: info profile: sample ring=(\d) halted=([01]) stack=([0-9a-f,]+)")
MOST_SHOWN = 3


class Samples:
    """Fed with the lines of the log."""

    def __init__(self, program):
        self.program = program
        self.stacks = Counter()

    def read(self, line):
        found = SAMPLE.match(line)
        if found:
            addresses = [int(word, 16) for word in found[3].split(",")]
            self.stacks[tuple(self._names(addresses, found[1] != "0", found[2] == "1"))] += 1

    def _names(self, addresses, is_user, is_halted):
        """The innermost first in `addresses`, and last in the result."""
        names = [self._name(addresses[0], is_user)]
        for address in addresses[1:]:
            # Code without frame pointers leaves anything in EBP: what no call returns to is no frame.
            if self.program.follows_call(address) is False:
                break
            names.append(self._name(address - 1, is_user))
        return list(reversed(names)) + ["[halted]"] * is_halted

    def _name(self, address, is_user):
        return self.program.name(address) + ("_[ring_3]" if is_user else "")

    def write(self, file):
        """Writes the file, and returns a sentence about it."""
        for names, times in sorted(self.stacks.items()):
            file.write(f"{';'.join(names)} {times}\n")
        total = sum(self.stacks.values())
        leaves = Counter()
        for names, times in self.stacks.items():
            leaves[names[-1]] += times
        most = ", ".join(f"{times * 100 // total} % in {name}" for name, times in leaves.most_common(MOST_SHOWN))
        return f"{total} samples: {most}"
