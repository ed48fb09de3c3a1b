"""Compiled programs: how they are compiled and called, and how many fits share a call."""

import functools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import jax
import jax.numpy as jnp
import numpy as np
from jax import core, lax

# Options of each program: no global setting is touched. JAX 0.10 compiles these programs twice as fast, and they run
# faster, without its fusion emitters; on arrays as small as a fit's several threads cost more than they spare. Later
# versions know other options.
OPTIONS = (
    {
        "xla_cpu_use_fusion_emitters": False,
        "xla_cpu_multi_thread_eigen": False,
        "xla_cpu_enable_concurrency_optimized_scheduler": False,
    }
    if jax.__version__.startswith("0.10.")
    else {}
)


_TRACED = (
    "called inside a function that JAX compiles, as by jax.jit or lax.scan, where there are no numbers yet; hellgan "
    "compiles its own programs, so call it outside"
)


_PACKED = 1 << 16  # numbers of an array that is packed with others at most: a copy of more costs what it spares


@jax.tree_util.register_pytree_node_class
class _Packed:
    """What a program gives, its small arrays one behind the other, an array of each type: each waits for the lock."""

    def __init__(self, arrays: Sequence, layout: tuple):
        self.arrays, self.layout = arrays, layout

    @classmethod
    def of(cls, found) -> "_Packed":
        leaves, structure = jax.tree.flatten(found)
        leaves = [jnp.asarray(leaf) for leaf in leaves]
        kinds = [leaf.dtype.name if leaf.size <= _PACKED else f"own {k}" for k, leaf in enumerate(leaves)]
        parts = [[leaf for leaf, of in zip(leaves, kinds, strict=True) if of == kind] for kind in dict.fromkeys(kinds)]
        arrays = [jnp.concatenate([leaf.ravel() for leaf in part]) if len(part) > 1 else part[0] for part in parts]
        places = [list(dict.fromkeys(kinds)).index(kind) for kind in kinds]
        return cls(arrays, (structure, tuple(places), tuple(leaf.shape for leaf in leaves)))

    def unpacked(self):
        """What was packed, as NumPy arrays: views, which cannot be written to."""
        structure, places, shapes = self.layout
        arrays, leaves, begins = jax.device_get(self.arrays), [], [0] * len(self.arrays)
        for place, shape in zip(places, shapes, strict=True):
            begin, end = begins[place], begins[place] + math.prod(shape)
            leaves.append(arrays[place].reshape(-1)[begin:end].reshape(shape))
            begins[place] = end
        return jax.tree.unflatten(structure, leaves)

    def tree_flatten(self):
        return tuple(self.arrays), self.layout

    @classmethod
    def tree_unflatten(cls, layout, arrays) -> "_Packed":
        return cls(list(arrays), layout)


class Program:
    """A compiled function that computes in double precision and gives NumPy arrays; made by ``program``.

    JAX's precision is a setting of the calling thread; it is entered for the call alone, so that nobody else's
    computations change, and what comes out is NumPy's, which a caller in single precision cannot narrow unawares; it
    ``stays`` on the device where another program takes it up.
    """

    def __init__(self, function: Callable, stays: bool = False, **options):
        functools.update_wrapper(self, function)
        self.stays = stays

        @functools.wraps(function)
        def packed(*arguments, **named):
            return _Packed.of(function(*arguments, **named))

        self.compiled = jax.jit(function if stays else packed, compiler_options=OPTIONS, **options)

    def __call__(self, *arguments, **named) -> Any:
        with jax.enable_x64(True):
            try:
                found = self.compiled(*arguments, **named)
            except ValueError as error:
                if "compiler_options" not in str(error):  # which JAX refuses where it compiles already
                    raise
                raise ValueError(f"hellgan: {_TRACED}.") from None
            if any(isinstance(leaf, core.Tracer) for leaf in jax.tree.leaves(found)):
                raise ValueError(f"hellgan: {_TRACED}.")
            return found if self.stays else found.unpacked()


@overload
def program(function: Callable, **options) -> Program: ...
@overload
def program(**options) -> Callable[[Callable], Program]: ...
def program(function: Callable | None = None, **options) -> Program | Callable[[Callable], Program]:
    """Compile a function of pytrees to a ``Program``, whose options are those of ``jax.jit``, too. Also a decorator."""
    if function is None:
        return functools.partial(program, **options)
    return Program(function, **options)


# On a CPU a full ``vmap`` of nested iterations is 2 to 17 times slower than one fit after the other, since every fit
# waits for the slowest; a group only spares the calls' own cost, and waits for Python's lock, which every call takes
# some times. An accelerator wants the lanes that its memory holds.
_GROUP_ON_CPU = 16
_MANY, _CELLS = 128, 1 << 18  # a group of fits that have at most so many cells each
_COPIES = 32  # copies of its rows times features that a lane's computations hold at once
_MEMORY = 4 << 30  # of an accelerator that does not say how much it has

# Linux allows a process 65,530 memory maps; the programs of one model hold some three hundred, and a process whose
# compiler gets none dies.
_MAPS, _MOST_MAPS = Path("/proc/self/maps"), 30_000


def on_cpu() -> bool:
    """Whether computations run on the host's processor."""
    return jax.default_backend() == "cpu"


def group_size(fits: int, cells: int = 0) -> int:
    """How many fits go into one compiled call: one of few sizes, since each size is compiled.

    ``cells`` are the numbers that a fit's features take, rows times features, of which an accelerator's memory holds so
    many; fewer fits than 16 go one by one, and a group may hold more than there are: `each` goes through those that
    there are.
    """
    if fits < _GROUP_ON_CPU:
        return 1
    if on_cpu():
        return _MANY if 0 < cells <= _CELLS else _GROUP_ON_CPU
    memory = (jax.devices()[0].memory_stats() or {}).get("bytes_limit", _MEMORY)
    lanes = min(fits, max(memory // (8 * _COPIES * max(cells, 1)), _GROUP_ON_CPU))
    return 1 << (int(lanes).bit_length() - 1)


def groups(chosen: Iterable[int], fits: int, cells: int = 0) -> Iterator[tuple[list[int], list[int]]]:
    """Divide some of ``fits`` into groups for compiled calls: those of each, and the same filled up to its size.

    The size depends on the number of all fits alone, so that no fit's last digits depend on which are chosen.
    """
    size, left = group_size(fits, cells), list(chosen)
    for begin in range(0, len(left), size):
        group = left[begin : begin + size]
        yield group, group + group[:1] * (size - len(group))


def each(function: Callable, *stacks, count=None):
    """Map a function over the leading axis of pytrees, under ``jit``: in turn on a CPU, side by side elsewhere.

    On a CPU it stops after ``count``, which need not be static; what follows is 0, and nobody looks at it.
    """
    size = jax.tree.leaves(stacks)[0].shape[0]
    if size == 1:
        single = function(*jax.tree.map(lambda leaf: jnp.asarray(leaf)[0], stacks))
        return jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], single)
    if on_cpu() and count is not None:

        def at(k):
            return function(*jax.tree.map(lambda leaf: jnp.asarray(leaf)[k], stacks))

        def put(k, found):
            return jax.tree.map(lambda all_, one: lax.dynamic_update_index_in_dim(all_, one, k, 0), found, at(k))

        none = jax.tree.map(lambda leaf: jnp.zeros((size, *leaf.shape), leaf.dtype), jax.eval_shape(at, 0))
        return lax.fori_loop(0, jnp.asarray(count), put, none)
    if on_cpu():
        return lax.map(lambda slices: function(*slices), stacks)
    return jax.vmap(function)(*stacks)


def on_device(data):
    """Put a pytree of arrays where a program that is called often finds them, in double precision."""
    with jax.enable_x64(True):
        return jax.device_put(data)


def in_blocks(function: Callable, *rows: np.ndarray, most: int = 1024, least: int = 16):
    """Call a compiled function of rows (k, ...) in blocks of few sizes, the last filled up with its last row.

    Sizes are powers of two from ``least`` to ``most``. Returns what the function gives, row by row.
    """
    count = len(rows[0])
    size = min(most, max(least, 1 << (count - 1).bit_length()))
    at = np.minimum(np.arange(-(-count // size) * size), count - 1).reshape(-1, size)
    found = [function(*(each[block] for each in rows)) for block in at]
    return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *found)


def make_room():
    """Forget all compiled programs once they hold half of the memory maps that Linux allows a process."""
    if _MAPS.exists() and _MAPS.read_bytes().count(b"\n") > _MOST_MAPS:
        jax.clear_caches()


def stack(items: Sequence):
    """Stack pytrees of one structure along a new leading axis, as NumPy; a single one as views."""
    if len(items) == 1:
        return jax.tree.map(lambda leaf: np.asarray(leaf)[None], items[0])
    return jax.tree.map(lambda *leaves: np.stack(leaves), *items)


def take(stacked, rows):
    """Take the item at an index ``rows`` from a stack of pytrees, or the stack of the items at several."""
    return jax.tree.map(lambda leaf: leaf[rows], stacked)


def repeated(item, count: int):
    """Stack a pytree ``count`` times, as views of one memory."""
    return jax.tree.map(lambda leaf: np.broadcast_to(leaf, (count, *np.shape(leaf))), item)
