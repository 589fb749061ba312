"""The hypervisor comes up on every machine, says what it found, and ends as the contract says."""
import re

import pytest

from machines import BOCHS_MODELS, HELLO, MINI_KERNEL, MODELS, boot, boot_menu, screen

MENU = """
set timeout=0
menuentry "only" {{
{commands}
}}
"""


@pytest.mark.parametrize("on, cpu", MODELS)
def test_self_test_passes(tmp_path, on, cpu):
    result = boot(tmp_path, "mode=self-test", "--on", on, "--cpu", cpu)
    assert "self-test: all passed" in result.console
    assert "FAIL" not in result.console
    assert result.status == 0
    assert result.last == "ringfence: info vm0: ended reason=self-test-ended status=0"


@pytest.mark.parametrize("on, cpu", MODELS)
def test_probes_know_the_machine(tmp_path, on, cpu):
    log = boot(tmp_path, "", "--on", on, "--cpu", cpu).log
    for name in ("segment-limits", "umip", "nx", "pge", "sse"):
        assert re.search(rf"^ringfence: info probe: .* {name}=(yes|no)$", log, re.MULTILINE), name
    limits = "yes" if on == "bochs" else "no"
    assert f"segment-limits={limits}" in log
    assert f"protection={'limits' if on == 'bochs' else 'paging'}" in log
    # UMIP and NX as machines.md of the yardstick and the models' data sheets have them.
    assert f"umip={'yes' if cpu in ('max', 'corei7_icelake_u') else 'no'}" in log
    assert f"nx={'yes' if cpu in ('max', 'corei7_skylake_x', 'corei7_icelake_u') else 'no'}" in log


def test_report_describes_the_machine(tmp_path):
    result = boot(tmp_path)
    assert re.search(r"Ringfence [0-9.]+: a hypervisor for 32-bit x86", result.console)
    assert "memory     127 MB usable" in result.console
    assert "memory map, as the boot loader has it" in result.console
    assert "frames of 4 KB, and whose they are" in result.console
    assert result.status == 0


def facts(result):
    """What a boot loader has a say in."""
    wanted = re.compile(r"ringfence: info (memory: range|boot: module|frames: owner=\"boot modules\")")
    lines = [line for line in result.log.splitlines() if wanted.match(line)]
    options = re.search(r'options="([^"]*)"', result.log)[1]
    return lines, options


def test_three_loaders_give_the_same_boot_info(tmp_path):
    options = "at-end=off mode=report modules=2"
    by_kernel = boot(tmp_path, "mode=report modules=2", "--module", f"{HELLO}=first words", "--module",
                     f"{MINI_KERNEL}=second")
    by_menu = {}
    for protocol, module in (("multiboot", "module"), ("multiboot2", "module2")):
        folder = tmp_path / protocol
        folder.mkdir()
        by_menu[protocol] = boot_menu(folder, MENU.format(commands=f"""
            {protocol} /boot/ringfence.elf {options}
            {module} /hello.elf hello.elf first words
            {module} /mini_kernel.elf mini_kernel.elf second"""),
            f"/hello.elf={HELLO}", f"/mini_kernel.elf={MINI_KERNEL}")
    assert 'protocol="Multiboot 1" loader="qemu"' in by_kernel.log
    assert 'protocol="Multiboot 1" loader="GRUB' in by_menu["multiboot"].log
    assert 'protocol="Multiboot 2" loader="GRUB' in by_menu["multiboot2"].log
    assert facts(by_kernel) == facts(by_menu["multiboot"]) == facts(by_menu["multiboot2"])
    lines, seen = facts(by_kernel)
    assert seen == options
    assert any('module 0 name="hello.elf"' in line and 'text="first words"' in line for line in lines)


def test_menu_that_names_a_missing_module_is_refused(tmp_path):
    result = boot_menu(tmp_path, MENU.format(commands="""
        multiboot2 /boot/ringfence.elf at-end=off modules=1
        module2 /not/on/the/disc.elf disc.elf
        boot"""))
    assert "this menu entry names 1 modules, but the boot loader handed over 0" in result.log
    assert result.last == "ringfence: info vm0: ended reason=bad-input status=2"


@pytest.mark.parametrize("on", ["qemu", "bochs"])
def test_unknown_boot_option_is_refused(tmp_path, on):
    result = boot(tmp_path, "mode=reprot", "--on", on)
    assert 'the boot option "mode" needs mode=report|run|self-test|echo, not "reprot"' in result.console
    assert result.status == 2
    assert result.last == "ringfence: info vm0: ended reason=bad-input status=2"


def test_too_little_memory_is_refused(tmp_path):
    result = boot(tmp_path, "", "--memory", "16M")
    assert "Ringfence needs 32 MB" in result.console
    assert result.status == 2


def test_32_megabytes_are_enough(tmp_path):
    assert boot(tmp_path, "mode=self-test", "--memory", "32M").status == 0


def test_memory_beyond_the_direct_map_is_reported(tmp_path):
    result = boot_menu(tmp_path, MENU.format(commands="multiboot2 /boot/ringfence.elf at-end=off"), memory="5G")
    assert re.search(r"\d+  beyond the direct map, not used", result.console)
    assert result.last.endswith("ended reason=report-shown status=0")


def test_an_old_processor_gets_a_sentence(tmp_path):
    result = boot(tmp_path, "", "--cpu", "486")
    assert result.console == (
        "ringfence: error processor: this processor is older than family 5; "
        "Ringfence needs family 5 or later with FPU, TSC, MSR, CX8 and PAE.\n")
    assert result.status == 2


def test_an_old_processor_is_told_on_the_screen_too(tmp_path):
    rows = screen(tmp_path, "-cpu", "486", until="ended reason=processor")
    assert "".join(rows).startswith("ringfence: error processor: this processor is older than family 5; Ringfence needs")


def test_the_screen_shows_what_the_console_shows(tmp_path):
    rows = screen(tmp_path, "-cpu", "max", "-append", "mode=self-test", until="ended reason=")
    assert "self-test: all passed" in rows
    assert "  ok   windows show memory" in rows


@pytest.mark.parametrize("missing", ["fpu", "tsc", "msr", "cx8", "pae"])
def test_each_missing_feature_is_named(tmp_path, missing):
    result = boot(tmp_path, "", "--cpu", f"qemu32,-{missing}")
    names = {"fpu": "FPU", "tsc": "(TSC)", "msr": "(MSR)", "cx8": "(CX8)", "pae": "(PAE)"}
    sentence = re.search(r"this processor (.*); Ringfence needs", result.console)[1]
    assert names[missing] in sentence
    assert result.status == 2


PANICS = {
    "null": ("#PF: read at 0x00000004, a null pointer: not mapped", "read_null_pointer"),
    "stack": ("stack overflow: the host stack has run into its guard page", "recurse_for_ever"),
    "code": ("#PF: write at 0xffc00000, the hypervisor's code: read-only", "write_to_code"),
    "assert": ("failed assertion: options.panic_test == OPTION_PANIC_TEST_NONE, at boot/panic_test.c:",
               "fail_assertion"),
    "interrupt": ("unexpected interrupt, vector 0x99", "raise_interrupt"),
}


@pytest.mark.parametrize("on", ["qemu", "bochs"])
@pytest.mark.parametrize("kind", PANICS)
def test_panics_report_in_sections_with_names(tmp_path, kind, on):
    reason, culprit = PANICS[kind]
    result = boot(tmp_path, f"panic-test={kind}", "--on", on)
    assert result.status == 71
    assert result.last == "ringfence: info vm0: ended reason=panic status=71"
    report = result.console[result.console.index("ringfence: panic\n"):]
    sections = re.findall(r"^(\w+)$", report, re.MULTILINE)
    assert sections == ["reason", "registers", "backtrace", "code", "guest", "trace", "counters"]
    assert reason in report
    backtrace = report[report.index("backtrace\n"):report.index("code\n")]
    assert re.search(rf"0x[0-9a-f]{{8}} {culprit}[.\w]*\+0x", backtrace)
    assert "panic_test_run+0x" in backtrace
    assert "start_on_own_stack+0x" in backtrace
    assert f"ringfence: panic reason: {reason}" in result.log
    assert re.search(r"^ringfence: panic code: instruction: [a-z]+", result.log, re.MULTILINE)


@pytest.mark.parametrize("on", ["qemu", "bochs"])
def test_no_typed_byte_is_lost(tmp_path, on):
    text = b"".join(b"%06d abcdefghijklmnopqrstuvwxyz\r" % i for i in range(400))
    total = 0
    for byte in text:
        total = (total * 31 + byte) & 0xFFFFFFFF
    result = boot(tmp_path, "mode=echo", "--on", on, "--after", "Ctrl-D ends it", "--send",
                  text.decode().replace("\r", "\\r") + "\\x04")
    assert f"echo: {len(text)} bytes" in result.console
    assert f"read bytes={len(text)} sum=0x{total:08x}" in result.log
    assert "serial_overruns" not in result.log
    assert result.status == 0


def test_log_option_leaves_lines_out_but_never_the_last(tmp_path):
    result = boot(tmp_path, "log=error")
    assert result.log == "ringfence: info vm0: ended reason=report-shown status=0\n"


@pytest.mark.parametrize("on", ["qemu", "bochs"])
def test_deterministic_runs_are_the_same_to_the_byte(tmp_path, on):
    first = boot(tmp_path, "mode=self-test", "--deterministic", "--on", on)
    second = boot(tmp_path, "mode=self-test", "--deterministic", "--on", on)
    assert first.status == 0
    assert first.log == second.log
    assert first.console == second.console


@pytest.mark.parametrize("cpu", BOCHS_MODELS)
def test_the_iso_that_is_built_starts_on_bochs(tmp_path, cpu):
    result = boot(tmp_path, "", "--menu", "--on", "bochs", "--cpu", cpu,
                  "--expect", "mini> ")
    assert "mini_kernel: paging, tasks and a shell" in result.console
    assert result.status == 0
