"""Switches of the test run: precision, strictness of JAX, and the backend for figures."""

import os

import jax
import jaxtyping
import pytest
from xdist.scheduler import LoadScopeScheduling

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
    """Run simulations first: they take longest."""
    items.sort(key=lambda item: item.get_closest_marker("montecarlo") is None)


class Scheduling(LoadScopeScheduling):
    """Keep together, in one process, what shares fits and compiled programs: a file; of the theorems, a loss."""

    def _split_scope(self, nodeid: str) -> str:
        path, _, test = nodeid.partition("::")
        if not path.endswith("test_theorems.py"):
            return path
        return test[test.index("[") :] if "[" in test else test


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return Scheduling(config, log)
