"""An image that does not fit into the top 4 MB is refused by the linker, with a sentence."""
import re
import subprocess

from machines import ROOT

OBJECTS = ROOT / "build" / "hypervisor"


def link(folder, script):
    (folder / "linker.ld").write_text(script)
    objects = [path for path in sorted(OBJECTS.rglob("*.o")) if path.name != "symbols-none.o"]
    return subprocess.run(["ld", "-m", "elf_i386", "-nostdlib", "--no-warn-rwx-segments", "-z", "noexecstack",
                           "-T", folder / "linker.ld", *objects, "-o", folder / "out.elf"],
                          stderr=subprocess.PIPE, text=True, check=False)


def test_an_image_that_fits_links(tmp_path):
    done = link(tmp_path, (ROOT / "linker.ld").read_text())
    assert (done.returncode, done.stderr) == (0, "")


def test_an_image_that_does_not_fit_is_refused(tmp_path):
    script = re.sub(r"(layout_monitor *=) 0x\w+", r"\1 0xFFC10000", (ROOT / "linker.ld").read_text())
    done = link(tmp_path, script)
    assert done.returncode != 0
    assert "Ringfence no longer fits: the image reaches past layout_monitor" in done.stderr
    assert "move the regions in linker.ld" in done.stderr


def test_regions_that_overlap_are_refused(tmp_path):
    script = re.sub(r"(layout_stacks *=) 0x\w+", r"\1 0xFFFF0000", (ROOT / "linker.ld").read_text())
    done = link(tmp_path, script)
    assert done.returncode != 0
    assert "the regions reserved beside the image overlap" in done.stderr
