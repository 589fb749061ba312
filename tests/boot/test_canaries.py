"""canaries=yes: a run that changed nothing beside the guest's memory says so, and a planted change is noticed."""
import pytest

from machines import HELLO, boot

GUEST = ("--module", f"{HELLO}=hello")
PLANTED = {
    "broken-below": "memory below the guest's has changed, at machine address 0x",
    "broken-above": "memory above the guest's has changed, at machine address 0x",
    "broken-code": "the hypervisor's code or constants have changed: sum 0x",
}


@pytest.mark.parametrize("on", ["qemu", "bochs"])
def test_an_honest_run_leaves_the_canaries_alone(tmp_path, on):
    result = boot(tmp_path, "mode=run guest-memory=16 canaries=yes", *GUEST, "--on", on)
    assert "ringfence: info canaries: set below=0x" in result.log
    assert "ringfence: info canaries: unchanged" in result.log
    assert result.last == "ringfence: info vm0: ended reason=power-off status=0"


@pytest.mark.parametrize("planted", PLANTED)
def test_a_planted_change_is_noticed(tmp_path, planted):
    result = boot(tmp_path, f"mode=run guest-memory=16 canaries={planted}", *GUEST)
    assert f"ringfence: error canaries: {PLANTED[planted]}" in result.log
    assert f"ringfence: panic reason: canaries: {PLANTED[planted]}" in result.log
    assert result.status == 71


def test_there_are_none_unless_asked_for(tmp_path):
    result = boot(tmp_path, "mode=run guest-memory=16", *GUEST)
    assert "canaries" not in result.log
    assert result.status == 0
