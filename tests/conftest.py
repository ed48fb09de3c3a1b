"""Switches of the test run: precision, strictness of JAX, compiled programs, and the backend for figures."""

import importlib
import os
from pathlib import Path

import jax
import jaxtyping
import pytest
from xdist.scheduler import LoadScopeScheduling

os.environ.setdefault("MPLBACKEND", "Agg")

# Compiled programs are shared by the processes of a run, those that tests start themselves too, and kept for the next.
# They are compiled quickly, since most run briefly: only simulations, and the full run, have them as users do.
QUICKLY = "jax_disable_most_optimizations"
SETTINGS = {
    "jax_compilation_cache_dir": str(Path(__file__).parents[1] / ".pytest_cache" / "programs"),
    "jax_persistent_cache_min_compile_time_secs": 0.1,
    QUICKLY: os.environ.get("HELLGAN_TEST_FULL") != "1",
}
for name, value in SETTINGS.items():
    os.environ[name.upper()] = str(value)
    jax.config.update(name, value)

# Users come with x64 off, so the suite does; HELLGAN_TEST_X64=1 runs all of it with x64 on.
jax.config.update("jax_enable_x64", os.environ.get("HELLGAN_TEST_X64") == "1")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_debug_key_reuse", True)


@pytest.fixture
def x64():
    """Run a test of the core, which works on jax arrays, in double precision."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def script_of():
    """Import a script of a folder beside the package by its name."""

    def imported(folder, name):
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(str(Path(__file__).parents[1] / folder))
            return importlib.import_module(name)

    return imported


@pytest.fixture(scope="session")
def script(script_of):
    """Import a script of `benchmarks/` by its name."""
    return lambda name: script_of("benchmarks", name)


@pytest.fixture
def unchecked():
    """Meet errors as users do, whose annotations nobody checks."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.fixture(autouse=True, scope="module")
def room_for_programs():
    """A run of the suite compiles thousands of programs."""
    yield
    from hellgan.execution import programs  # not earlier: jaxtyping's hook comes after this file

    programs.make_room()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Compile for speed what simulates."""
    jax.config.update(QUICKLY, SETTINGS[QUICKLY] and item.get_closest_marker("montecarlo") is None)


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
