"""Switches of the test run: precision, strictness of JAX, and the backend for figures."""

import os

import jax
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
