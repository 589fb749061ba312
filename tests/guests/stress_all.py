"""Every guest with a verdict, and mini_kernel, under each stress option and in lockstep, on both machines. Takes long: make stress
runs it, make test a part (test_stress.py)."""

import pytest
from conftest import DEPRIVILEGED, way_name
from stressed import GUESTS, STRESS, check_guest, check_mini_kernel

WAYS = [way for way in DEPRIVILEGED if way[2] == "translate"]


@pytest.mark.parametrize("name", GUESTS)
@pytest.mark.parametrize("stress", STRESS)
@pytest.mark.parametrize("way", WAYS, ids=way_name)
def test_guest(way, stress, name):
    check_guest(way, stress, name)


@pytest.mark.parametrize("stress", STRESS)
@pytest.mark.parametrize("way", WAYS, ids=way_name)
def test_mini_kernel(way, stress):
    check_mini_kernel(way, stress)
