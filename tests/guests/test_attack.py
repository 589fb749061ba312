"""Each guest of guest/attack/ on every machine, in every way: what it tries ends as on the processor itself, and
nothing outside the guest has changed."""

import pytest

from conftest import check_verdict, topics

CANARIES = ("--boot", "canaries=yes")  # of no effect natively


@pytest.mark.parametrize("topic", topics("attack"))
def test_attack_ends_as_on_the_processor(guest, topic):
    check_verdict(topic, *guest.run(f"attack/{topic}", "", *CANARIES))
