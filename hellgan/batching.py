"""Compiled programs for many fits: how they are compiled, how many fits share a call, how it goes through them."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Version 0.10 compiles these programs twice as fast, and they run faster, without its fusion emitters; later versions
# know no such option. It is an option of each program: no global setting is touched.
_OPTIONS = {"xla_cpu_use_fusion_emitters": False} if jax.__version__.startswith("0.10.") else {}

program = functools.partial(jax.jit, compiler_options=_OPTIONS)

# On a CPU a full ``vmap`` of nested iterations is 2 to 17 times slower than one fit after the other, since every fit
# waits for the slowest; a group only spares the calls' own cost. An accelerator wants many lanes (not tested there).
_GROUP_ON_CPU, _GROUP_ON_ACCELERATOR = 16, 256


def on_cpu() -> bool:
    """Whether computations run on the host's processor."""
    return jax.default_backend() == "cpu"


def group_size(fits: int) -> int:
    """How many fits go into one compiled call; few sizes, since each is compiled."""
    group = _GROUP_ON_CPU if on_cpu() else _GROUP_ON_ACCELERATOR
    return group if fits >= group else 1


def each(function: Callable, *stacks):
    """Map a function over the leading axis of pytrees, under ``jit``: in turn on a CPU, side by side elsewhere."""
    if jax.tree.leaves(stacks)[0].shape[0] == 1:
        single = function(*jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], stacks))
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], single)
    if on_cpu():
        return lax.map(lambda slices: function(*slices), stacks)
    return jax.vmap(function)(*stacks)


def stack(items: Sequence):
    """Stack pytrees of one structure along a new leading axis, as NumPy."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *items)


def take(stacked, rows):
    """Give one item of a stack of pytrees, or a stack of some."""
    return jax.tree.map(lambda leaf: leaf[rows], stacked)
