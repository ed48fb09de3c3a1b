"""Switches of the test run: precision, strictness of JAX, and the backend for figures."""

import os

import jax
import jaxtyping
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")

# Users come with x64 off, so the suite does; HELLGAN_TEST_X64=1 runs all of it with x64 on.
jax.config.update("jax_enable_x64", os.environ.get("HELLGAN_TEST_X64") == "1")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture
def x64():
    """Run a test of the core, which works on jax arrays, in double precision."""
    with jax.enable_x64(True):
        yield


@pytest.fixture
def unchecked():
    """Meet errors as users do, whose annotations nobody checks."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


def pytest_collection_modifyitems(items):
    """Keep together what shares fits or compiled programs, a file unless marked otherwise; simulations first."""
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))
    items.sort(key=lambda item: item.get_closest_marker("montecarlo") is None)
