"""tools/setup, with an apt-get of our own that writes down what it was asked for."""
import os
import resource
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("bash", "env", "cat", "touch")


class Place:
    """A copy of tools/setup with a list of two packages and only the commands it may have."""

    def __init__(self, folder):
        self.folder = folder
        self.proof = folder / "installed"
        self.asked = folder / "asked"
        (folder / "tools").mkdir()
        (folder / "bin").mkdir()
        shutil.copy(ROOT / "tools/setup", folder / "tools/setup")
        (folder / "tools/packages.txt").write_text(
            "# a comment\n"
            f"build  present-one  {folder}/bin/bash  is always there\n"
            f"test   absent-one   {self.proof}       because the tests need it\n")
        for name in TOOLS:
            (folder / "bin" / name).symlink_to(shutil.which(name))
        self.command("id", "echo 0")

    def command(self, name, body):
        path = self.folder / "bin" / name
        path.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        path.chmod(0o755)

    def apt(self, installing=True):
        self.command("apt-cache", "exit 0")
        effect = f'case "$*" in *absent-one*) touch {self.proof};; esac' if installing else "exit 1"
        self.command("apt-get", f'echo "apt-get $*" >> {self.asked}\n{effect}')

    def run(self, *arguments):
        return subprocess.run(["bash", self.folder / "tools/setup", *arguments], text=True,
                              env={"PATH": str(self.folder / "bin")}, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def test_installs_what_is_missing_once_and_says_why(place):
    place.apt()
    done = place.run("test")
    assert done.returncode == 0, done.stdout
    assert "absent-one" in done.stdout and "because the tests need it" in done.stdout
    asked = place.asked.read_text()
    assert "install -y --no-install-recommends absent-one" in asked
    assert "present-one" not in asked and "update" not in asked
    assert place.run("test").stdout == ""
    assert place.asked.read_text() == asked


def test_a_part_not_asked_for_is_left_alone(place):
    place.apt()
    assert (place.run("run").returncode, place.run("run").stdout) == (0, "")


def test_reads_the_lists_when_a_package_is_unknown(place):
    place.apt()
    place.command("apt-cache", "exit 1")
    assert place.run("test").returncode == 0
    assert " update" in place.asked.read_text().splitlines()[0]


def test_other_systems_get_a_sentence(place):
    done = place.run("test")
    assert done.returncode == 2
    assert "this system has no apt-get" in done.stdout and "absent-one" in done.stdout


def test_without_root_and_sudo_says_what_to_run(place):
    place.apt()
    place.command("id", "echo 1000")
    done = place.run("test")
    assert done.returncode == 2
    assert "as root, run: apt-get install --no-install-recommends absent-one" in done.stdout
    assert not place.asked.exists()


def test_without_root_uses_sudo(place):
    place.apt()
    place.command("id", "echo 1000")
    place.command("sudo", f'echo sudo >> {place.asked}\n"$@"')
    assert place.run("test").returncode == 0
    assert place.asked.read_text().startswith("sudo\n")


def test_failed_installation_fails(place):
    place.apt(installing=False)
    done = place.run("test")
    assert done.returncode == 1
    assert "apt-get update failed" in done.stdout


def test_unknown_work_is_refused(place):
    done = place.run("nonsense")
    assert done.returncode == 2
    assert 'unknown kind of work "nonsense": expected run, debug, test, check, fuzz or linux' in done.stdout


def test_is_quick_when_nothing_is_missing():
    """In time of the processor, of which others may want some as well."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([ROOT / "tools/setup", "run"], stdout=subprocess.PIPE, env=os.environ)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (done.returncode, done.stdout) == (0, b"")
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 0.3
