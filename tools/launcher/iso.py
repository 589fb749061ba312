"""Bootable ISO images with GRUB. `tools/make-iso` is the command; the machines use it for what
they cannot load themselves."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from .errors import STATUS_BAD_INPUT, ToolMissing, UserError
from .machine import find_program
from .options import Parser, one_line

GRUB_FOLDER = Path("/usr/lib/grub/i386-pc")
# Leaving out fonts, languages and what nobody calls makes it ten times smaller and faster.
GRUB_OPTIONS = (
    *("-d", str(GRUB_FOLDER), "--fonts=", "--locales=", "--themes="),
    "--install-modules=multiboot multiboot2 linux normal iso9660 biosdisk serial terminal echo halt test",
)
CD_SECTOR = 2048
BOOT_RECORD = b"\0CD001\1EL TORITO SPECIFICATION"

# GRUB's word for each kind of kernel, and for what is loaded beside it.
LOADERS = {
    "multiboot": ("multiboot", "module"),
    "multiboot2": ("multiboot2", "module2"),
    "hypervisor": ("multiboot2", "module2"),
    "linux": ("linux", "initrd"),
}
EMPTY_WORD = "''"
CANNOT_LOAD = "ringfence: error grub: cannot load"


def make_iso(configuration, files, output):
    """Writes `output` with the text `configuration` as GRUB's menu and `files`: place -> source."""
    grub = find_program("grub-mkrescue")
    if not (GRUB_FOLDER / "modinfo.sh").exists():
        raise ToolMissing("GRUB for PCs (package grub-pc-bin)")
    find_program("xorriso")
    output = Path(output)
    with tempfile.TemporaryDirectory(prefix="ringfence-iso-") as folder:
        tree, image = Path(folder, "tree"), Path(folder, "image.iso")
        _plant(tree, configuration, files)
        command = [grub, *GRUB_OPTIONS, "-o", str(image), str(tree)]
        environment = os.environ | {"LC_ALL": "C"}
        result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment)
        if result.returncode or not _is_bootable(image):
            raise UserError(f"grub-mkrescue could not make {output}: {_complaint(result)}")
        _put(image, output)
    return output


def _plant(tree, configuration, files):
    """Lays out the files as they shall lie in the image."""
    menu = tree / "boot" / "grub" / "grub.cfg"
    menu.parent.mkdir(parents=True)
    menu.write_text(configuration)
    for place, source in files.items():
        target = tree / place.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def _is_bootable(image):
    """When GRUB's PC files are missing, grub-mkrescue ends with status 0 and an image that no PC boots."""
    try:
        with open(image, "rb") as file:
            file.seek(17 * CD_SECTOR)
            return file.read(len(BOOT_RECORD)) == BOOT_RECORD
    except OSError:
        return False


def _complaint(result):
    lines = [line for line in result.stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower() or "fail" in line.lower()]
    return one_line((errors or lines or [f"status {result.returncode}"])[0])


def _put(image, output):
    """Never leaves half an image behind."""
    half = output.with_name(output.name + ".part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, half)
        half.replace(output)
    except OSError as error:
        with contextlib.suppress(OSError):
            half.unlink()
        raise UserError(f"cannot write {output}: {error.strerror}") from None


def write_plan_iso(plan, output):
    """The ISO that boots just this plan, at once and without a menu."""
    places = {f"/guest/{module.name}": module.path for module in plan.modules}
    kernel_place = f"/{'boot' if plan.kind == 'hypervisor' else 'guest'}/{plan.name}"
    places[kernel_place] = plan.kernel
    return make_iso(grub_configuration(plan, kernel_place), places, output)


def grub_configuration(plan, kernel_place):
    loader, beside = LOADERS[plan.kind]
    if plan.kind == "linux":
        commands = ["set gfxpayload=text", f"linux {kernel_place} {_quote(plan.arguments)}"]
        commands += [f"initrd /guest/{module.name}" for module in plan.modules]
    else:
        words = _quote(plan.arguments)
        if plan.kind != "hypervisor":
            # A native kernel sees its name, a space and the rest, to the byte as from `qemu -kernel`.
            words = f"{plan.name} {words or EMPTY_WORD}"
        commands = [f"{loader} {kernel_place} {words}"]
        commands += [
            f"{beside} /guest/{module.name} {module.name} {_quote(module.arguments)}" for module in plan.modules
        ]
    script = "boot"
    for command in reversed(commands):
        script = f"if {command.rstrip()}; then\n{script}\nfi"
    # Reached only when something failed: say so on COM2, where the launcher watches.
    failure = ["serial --unit=1 --speed=115200", "terminal_output serial", f'echo "{CANNOT_LOAD} {plan.name}"']
    return "\n".join([script, *failure]) + "\n"


def _quote(text):
    """Each word so that GRUB's script language leaves it alone."""
    return " ".join("'" + word.replace("'", "'\\''") + "'" for word in text.split())


def main(arguments):
    parser = Parser(prog="tools/make-iso", description="Makes a bootable ISO image with GRUB.")
    parser.add_argument("--config", required=True, metavar="FILE", help="GRUB's menu")
    parser.add_argument("--output", required=True, metavar="FILE", help="the ISO image to write")
    parser.add_argument("files", nargs="+", metavar="PLACE=FILE", help="a file and its place in the image")
    options = parser.parse_args(arguments)
    try:
        places = {}
        for text in options.files:
            place, equals, source = text.partition("=")
            if not equals or not place.startswith("/"):
                raise UserError(f"{text} is not of the form /PLACE=FILE")
            if not Path(source).is_file():
                raise UserError(f"cannot read {source}: no such file")
            places[place] = Path(source)
        try:
            configuration = Path(options.config).read_text()
        except OSError as error:
            raise UserError(f"cannot read {options.config}: {error.strerror}") from None
        make_iso(configuration, places, options.output)
    except (UserError, OSError) as error:
        parser.exit(STATUS_BAD_INPUT, f"make-iso: {one_line(error)}\n")
    return 0
