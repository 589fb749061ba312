"""./ringfence coverage: how often each part of a guest's kernel has run, from the counts in the hypervisor's log.

docs/coverage.md says what is counted, and what the files look like."""

import bisect
import re
from collections import defaultdict

RANGE = re.compile(r"ringfence: info coverage: range from=0x(\w+) to=0x(\w+) times=(-?\d+)")
USER = re.compile(r"ringfence: info coverage: user page=0x(\w+)")
LAST = re.compile(r"ringfence: info coverage: end ranges=(\d+) lost=(\d+)")
PAGE = 4096


class Counts:
    """Fed with the lines of the log. How often the instruction at an address has run, once `finish` was called.

    There may be several reports in a log, each of all that has run so far: the last complete one counts."""

    def __init__(self):
        self.ranges, self.user_pages = [], set()
        self.is_complete, self.lost = False, 0
        self.steps, self.levels = [], []
        self.coming_ranges, self.coming_pages = [], set()

    def read(self, line):
        found = RANGE.match(line)
        if found:
            self.coming_ranges.append((int(found[1], 16), int(found[2], 16), int(found[3])))
        found = USER.match(line)
        if found:
            self.coming_pages.add(int(found[1], 16))
        found = LAST.match(line)
        if found and int(found[1]) == len(self.coming_ranges):
            self.ranges, self.user_pages = self.coming_ranges, self.coming_pages
            self.is_complete, self.lost = True, int(found[2])
        if found:
            self.coming_ranges, self.coming_pages = [], set()

    def finish(self):
        self.steps, self.levels = [], []
        changes = defaultdict(int)
        for start, end, times in self.ranges:
            changes[start] += times
            changes[end] -= times
        level = 0
        for at in sorted(changes):
            level += changes[at]
            self.steps.append(at)
            self.levels.append(level)

    def at(self, address):
        found = bisect.bisect_right(self.steps, address) - 1
        return self.levels[found] if found >= 0 else 0

    def pieces(self):
        """What has run: ranges that do not overlap, with neighbours of the same count joined."""
        merged = []
        for start, end, times in zip(self.steps, self.steps[1:], self.levels):
            if times and merged and merged[-1][1:] == (start, times):
                merged[-1] = (merged[-1][0], end, times)
            elif times:
                merged.append((start, end, times))
        return merged

    def bytes_run(self, start, size):
        return sum(max(0, min(end, start + size) - max(begin, start)) for begin, end, _ in self.pieces_near(start, size))

    def pieces_near(self, start, size):
        first = max(0, bisect.bisect_right(self.steps, start) - 1)
        for i in range(first, len(self.steps) - 1):
            if self.steps[i] >= start + size:
                return
            if self.levels[i]:
                yield self.steps[i], self.steps[i + 1], self.levels[i]


def user_sections(program, counts):
    """Sections that ring 3 was seen in and ring 0 never ran: nobody knows what of them has run."""
    def is_user(section):
        pages = range(section.address // PAGE * PAGE, section.address + section.size, PAGE)
        return any(page in counts.user_pages for page in pages) and not counts.bytes_run(section.address, section.size)

    return [section for section in program.sections if is_user(section)]


def is_in(sections, address):
    return any(section.address <= address < section.address + section.size for section in sections)


def line_counts(program, counts, left_out):
    """file -> line -> times: in each function as often as its most frequent piece, over all functions the sum."""
    most = defaultdict(int)
    for line in program.lines():
        if not is_in(left_out, line.address):
            key = line.file, line.number, program.function_at(line.address)
            most[key] = max(most[key], counts.at(line.address))
    files = defaultdict(lambda: defaultdict(int))
    for (file, number, _), times in most.items():
        files[file][number] += times
    return files


def first_lines(program):
    """Where each function begins: address -> (file, line)."""
    wanted = {function.address for function in program.functions}
    found = {}
    for line in program.lines():
        if line.address in wanted:
            found.setdefault(line.address, (line.file, line.number))
    return found


def write_info(file, program, counts, files, left_out):
    """The tracefile of lcov."""
    functions = defaultdict(list)
    for address, (name, number) in first_lines(program).items():
        if not is_in(left_out, address):
            functions[name].append((number, counts.at(address), program.function_at(address).name))
    for name in sorted(files):
        file.write(f"TN:\nSF:{name}\n")
        for number, times, function in sorted(functions[name]):
            file.write(f"FN:{number},{function}\nFNDA:{times},{function}\n")
        hit = sum(1 for _, times, _ in functions[name] if times)
        file.write(f"FNF:{len(functions[name])}\nFNH:{hit}\n")
        for number, times in sorted(files[name].items()):
            file.write(f"DA:{number},{times}\n")
        file.write(f"LF:{len(files[name])}\nLH:{sum(1 for times in files[name].values() if times)}\nend_of_record\n")


def write_table(file, program, counts, left_out):
    """For a file without source lines: functions, and the pieces of code that have run."""
    file.write("# function: address, bytes, bytes that have run, times entered, name\n")
    for function in program.functions:
        if function.size and not is_in(left_out, function.address):
            run = counts.bytes_run(function.address, function.size)
            times = counts.at(function.address)
            file.write(f"function {function.address:08x} {function.size} {run} {times} {function.name}\n")
    file.write("# block: first address, first behind it, times, function\n")
    for start, end, times in counts.pieces():
        function = program.function_at(start)
        file.write(f"block {start:08x} {end:08x} {times} {function.name if function else '-'}\n")


def write_coverage(file, program, counts):
    """Writes the file, and returns a sentence about it."""
    counts.finish()
    left_out = user_sections(program, counts)
    files = line_counts(program, counts, left_out)
    if files:
        write_info(file, program, counts, files, left_out)
        times = [times for lines in files.values() for times in lines.values()]
        said = f"{sum(1 for one in times if one)} of {len(times)} lines in {len(files)} files have run"
    else:
        write_table(file, program, counts, left_out)
        said = f"{sum(end - start for start, end, _ in counts.pieces())} bytes of code have run (no source lines in {program.path})"
    if left_out:
        said += f"; {', '.join(section.name for section in left_out)} ran in ring 3, which is not counted"
    if counts.lost:
        said += f"; {counts.lost} counts had no room and are missing"
    return said
