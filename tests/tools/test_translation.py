"""The example in docs/translation.md is what a run shows now, and it shows what it is there for."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OTHER_COMPILER = 3


def test_the_example_is_up_to_date():
    done = subprocess.run([ROOT / "tools" / "translation", "--check"], capture_output=True, text=True, timeout=390)
    if done.returncode == OTHER_COMPILER:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


def test_the_way_for_a_prime_is_never_translated():
    example = (ROOT / "docs" / "translation.md").read_text().partition("## An example")[2]
    done, _, never = example.partition("**Never translated**")
    assert "mov esi,0x1" in never and "ret" in never
    assert "idiv" in done and "Block 7" in done and "left out" in done and "Patched: the `jnz`" in done


def test_a_trace_has_every_block_beside_its_translation(tmp_path):
    log = tmp_path / "log"
    command = [ROOT / "ringfence", "run", "build/guest/hello.elf", "--boot", "trace=translate", "--log", log, "--timeout", "60"]
    assert subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0
    text = log.read_text()
    block = text[text.index("translate: block ") :].partition("guest_main: ")[2].partition("block ")[0]
    assert block.count(" call 0x") >= 1 and " ; to " in block and "patched: " in text and "left out: " in text
