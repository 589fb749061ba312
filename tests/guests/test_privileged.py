"""Each guest of guest/privileged/ natively on every machine: all of its checks hold."""

import os
import re

import pytest

from conftest import ROOT

FOLDER = os.path.join(ROOT, "guest", "privileged")
TOPICS = sorted(t for t in os.listdir(FOLDER) if os.path.exists(os.path.join(FOLDER, t, "main.c")))
SUCCESS, SKIP = 33, 35  # status (V << 1) | 1 of the library's verdicts


@pytest.mark.parametrize("topic", TOPICS)
def test_topic_natively(guest, topic):
    status, text = guest.run(f"privileged/{topic}")
    lines = [line for line in text.splitlines() if not line.startswith("ringfence:")]
    assert lines and re.match(rf"{topic}: exists to show that \S+ \S+ \S+", lines[0]), text
    if status == SKIP:
        pytest.skip(lines[-1])
    failed = [line for line in lines if line.startswith("FAIL")]
    assert not failed, text
    assert (status, lines[-1]) == (SUCCESS, "SUCCESS"), text
    assert any(line.startswith("ok ") for line in lines), text
