"""Each guest of guest/privileged/ natively on every machine: all of its checks hold."""

import pytest

from conftest import check_verdict, topics


@pytest.mark.parametrize("topic", topics("privileged"))
def test_topic_natively(guest, topic):
    check_verdict(topic, *guest.run(f"privileged/{topic}"))
