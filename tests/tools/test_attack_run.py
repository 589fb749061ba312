"""tests/attack/run: how a failure is told, with a round of our own; that it attacks at all, `make attack` shows."""
import importlib.machinery
import importlib.util
import subprocess
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "tests/attack/run"


@pytest.fixture
def attack(monkeypatch):
    loader = importlib.machinery.SourceFileLoader("attack_run", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("attack_run", loader))
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    loader.exec_module(module)
    return module


def a_round(attack, engine, answers):
    this = attack.Round(3, "p4_willamette", engine, 77, 2)
    this.attempts = lambda way: answers[way]
    return this


def test_a_difference_is_shown_with_the_commands_that_repeat_it(attack, capsys):
    this = a_round(attack, "translate", {"translate": (["ring 0 a: 1", "digest 1"], []),
                                         "native": (["ring 0 a: 2", "digest 2"], [])})
    wrong, tried = this.run()
    assert (wrong[0].split(), wrong[1].split()) == (["native:", "ring", "0", "a:", "2"],
                                                    ["translate:", "ring", "0", "a:", "1"])
    assert tried == 2
    this.show(wrong)
    said = capsys.readouterr().out
    assert "--cpu p4_willamette" in said and "'seed=77 count=2'" in said
    assert "--engine translate --boot canaries=yes" in said and "--native" in said


def test_what_is_wrong_with_a_run_is_enough_and_shown_beside_the_native_one(attack):
    ended = "trap: ended with status 70:"
    assert a_round(attack, "trap", {"trap": ([], [ended]), "native": (["x"], [])}).run() == ([ended], 0)
    astray = "native: ended with status 70:"
    assert a_round(attack, "trap", {"trap": ([], [ended]), "native": ([], [astray])}).run()[0] == [ended, astray]
    assert a_round(attack, "trap", {"trap": (["x"], [])}).run() == ([], 1)


def test_the_same_seed_gives_the_same_rounds_and_meets_every_model_under_every_engine(attack, monkeypatch):
    monkeypatch.setattr("sys.argv", ["run", "--seed", "9"])
    first, second = ([r.command(r.engine) for _, r in zip(range(16), attack.rounds(attack.parse()))] for _ in range(2))
    assert first == second
    seen = {(command[command.index("--cpu") + 1], command[command.index("--engine") + 1]) for command in first}
    assert len({model for model, _ in seen}) >= 3
    assert {engine for _, engine in seen} == {"translate", "trap", "interpret"}


def test_names_a_bad_number():
    done = subprocess.run([PROGRAM, "--minutes", "0"], text=True, capture_output=True)
    assert (done.returncode, "expected more than 0" in done.stderr) == (2, True)
