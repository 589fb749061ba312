"""What guests see under the engine trap that they do not see natively: exactly this, and nothing else.

For each guest of guest/privileged/ the checks that fail, as a regular expression, with the row of
docs/limitations.md that says why. They hold on machines with UMIP; without it more leaks (row T6). Those of guest/attack/ hold where
segment limits are not enforced: elsewhere what leaks is behind a cut, and is emulated.
ENDS: the guest takes what it has read for the truth, acts on it, and ends in a triple fault.
"""

import re

ENDS = "ends"
FAILURE, STOPPED = 39, 70

DIFFERENCES = {
    "descriptors": {ENDS: "T1"},
    "gates": {
        r"(call gate|jump through the gate).*: SS and CS: gives 100008": "T1",
        r"(interrupt|trap) gate: IF (off|stays), CS: gives 2?0*8": "T1",
        r"int through a gate whose DPL allows it: gives 8": "T1",
    },
    "instructions": {r"ring [123]: #GP\(0\)": "T4"},
    "interrupts": {
        r"popf: the interrupt comes at once": "T2",
        r"iret: the interrupt comes at once": "T1",
        r"sti and mov ss: one of the documented behaviours": "T1",
        r"IF is off in the handler of an interrupt gate": "T2",
    },
    "ldt": {r"code from the LDT: gives c": "T1"},
    "seventeen": {
        r"push cs: gives 8": "T1",
        r"mov eax, [cs]s: gives (8|10)": "T1",
        r"(lar|lsl|verr|verw): ZF: gives 1": "T3",
        r"popf: sets IOPL in ring 0 only, silently": "T2",
        r"pushf: shows IF when it is off": "T2",
        r"far (call|jump|return): (the )?CS.*: gives 8": "T1",
        r"iret: CS: gives 8": "T1",
    },
}

ATTACK_DIFFERENCES = {
    "frames": {ENDS: "T7"},
    "segments": {
        r"by (its base|its offset|both): CS: gives 60": "T1",
        r"16-bit: CS: gives 100060": "T1",
    },
}


def check_differences(expected, status, text):
    """Everything that fails is in the list, and everything in the list fails."""
    failed = [line for line in text.splitlines() if line.startswith("FAIL ")]
    patterns = [pattern for pattern in expected if pattern != ENDS]
    for line in failed:
        assert any(re.fullmatch("FAIL " + pattern, line) for pattern in patterns), f"{line}\n{text}"
    for pattern in patterns:
        assert any(re.fullmatch("FAIL " + pattern, line) for line in failed), f"{pattern}\n{text}"
    assert status == (STOPPED if ENDS in expected else FAILURE), text
