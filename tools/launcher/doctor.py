"""./ringfence doctor: what is installed, what is missing, which command mends it.

Reads tools/packages.txt, the same list that tools/setup installs from."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from .errors import UserError
from .plan import ROOT

PACKAGES = ROOT / "tools" / "packages.txt"
# The work that asks tools/setup for each part of the list.
MENDED_BY = {"build": "run", "run": "run", "debug": "debug", "test": "test", "check": "check", "fuzz": "fuzz",
             "linux": "linux"}


@dataclass(frozen=True)
class Need:
    part: str
    package: str
    proof: str
    reason: str

    def found(self):
        """Where its proof is, or None."""
        if self.proof.startswith("/"):
            return self.proof if Path(self.proof).exists() else None
        return shutil.which(self.proof)


def run_doctor():
    needs = read_packages()
    missing = [need for need in needs if not need.found()]
    for part in dict.fromkeys(need.part for need in needs):
        print(f"to {part}:")
        for need in needs:
            if need.part == part:
                _print_need(need)
    if not missing:
        print("\nEverything is installed.")
        return 0
    work = dict.fromkeys(MENDED_BY[need.part] for need in missing)
    print(f"\n{len(missing)} missing. On Debian and Ubuntu this installs them:")
    for name in work:
        print(f"  tools/setup {name}")
    print(f"or: apt-get install {' '.join(dict.fromkeys(need.package for need in missing))}")
    return 1


def read_packages():
    try:
        lines = PACKAGES.read_text().splitlines()
    except OSError as error:
        raise UserError(f"cannot read tools/packages.txt: {error.strerror}") from None
    return [Need(*line.split(None, 3)) for line in lines if line.strip() and not line.startswith("#")]


def _print_need(need):
    found = need.found()
    mark = "ok     " if found else "MISSING"
    print(f"  {mark}  {need.package:<22} {need.reason}{f' ({found})' if found else ''}")
