"""Both sides of a batch of models at the start: trained arrays, stacked, and the networks without them."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from hellgan import generators
from hellgan.checks import shown
from hellgan.discriminators import Discriminator
from hellgan.execution import tracing
from hellgan.generators import Generator, checked_generator
from hellgan.neural import parametric
from hellgan.neural.modules import BATCH
from hellgan.neural.networks import NetworkSpecification, is_trained, placed

_ROLES = ("generator", "discriminator")


def read_generator(generator) -> Any:
    """Read a generator: a family by its name, too."""
    if isinstance(generator, str) or (isinstance(generator, type) and issubclass(generator, Generator)):
        generator = checked_generator(generator)
    if isinstance(generator, Generator):
        parametric.check_generator(checked_generator(generator))
        return generator
    _check_network(generator, "generator", "hg.neural.MLPGenerator(), a family of hg.generators")
    return generator


def read_discriminator(discriminator) -> Any:
    """Read a discriminator, one of ``hg.discriminators`` too."""
    if not isinstance(discriminator, Discriminator):
        _check_network(discriminator, "discriminator", "hg.neural.MLPDiscriminator(), one of hg.discriminators")
    return discriminator


def _check_network(network, argument: str, examples: str) -> None:
    if isinstance(network, type) or not (isinstance(network, (NetworkSpecification, eqx.Module)) or callable(network)):
        raise TypeError(
            f"{argument}: got {shown(network)}; give {examples}, an equinox module, or a function of a key that "
            "makes one."
        )


def begun(network, data: np.ndarray, members: int, seeds: list[int], role: str) -> tuple[dict, Any]:
    """Make the networks of a side.

    Parameters
    ----------
    network : what ``read_generator`` or ``read_discriminator`` gave
    data : (n, ...) array
    members : int
        Networks of a mixture.
    seeds : list of int
        One a model.
    role : {"generator", "discriminator"}

    Returns
    -------
    player : dict
        As in ``game``, its arrays with the models along the first axis and a mixture's members along the second.
    skeleton : eqx.Module
        One network without its trained arrays.
    """
    logits = np.zeros((len(seeds), members), np.float32) if members > 1 else None
    if isinstance(network, (Generator, Discriminator)):
        nets, skeleton = _of_the_package(network, data, members, seeds)
    elif isinstance(network, eqx.Module):
        nets, skeleton = _as_it_is(network, members, len(seeds), role)
    else:
        nets, skeleton = _drawn(network, data, members, seeds, role)
    if not jax.tree.leaves(nets):
        raise ValueError(f"{role}: it has no floating-point array of JAX to train; give a network that has.")
    return {"nets": nets, "logits": logits}, skeleton


def _drawn(network, data, members, seeds, role):
    """Draw networks from keys, all at once."""
    numbers = np.stack([key_numbers(seed, _ROLES.index(role), members) for seed in seeds])
    if isinstance(network, NetworkSpecification):
        frame = network.frame(data)
        skeleton = _skeleton(network, frame)
        return _without(skeleton, _all_drawn(network.drawn, frame, numbers)), skeleton
    try:
        module = placed(network, data, jax.random.wrap_key_data(numbers[0, 0]))
    except TypeError as error:
        raise TypeError(
            f"{role}: called with a key it fails ({tracing.failure(error)}); give an equinox module, or a function of "
            "a JAX key that makes one."
        ) from error
    if not isinstance(module, eqx.Module):
        raise TypeError(f"{role}: called with a key it gives {shown(module)}; give a function that makes a module.")
    return _all_drawn(lambda _, key: network(key), None, numbers), eqx.partition(module, is_trained)[1]


@eqx.filter_jit
def _all_drawn(draw, frame, numbers):
    """Trained arrays of networks drawn from keys (B, T, 2)."""

    def trained(key):
        return eqx.filter(draw(frame, key), is_trained)

    return jax.vmap(jax.vmap(trained))(jax.random.wrap_key_data(numbers))


def _without(skeleton, nets):
    """Leave out of drawn arrays those that a skeleton holds: the data's frame, which a program takes for JAX's."""
    return jax.tree.map(lambda held, leaf: leaf if held is None else None, skeleton, nets, is_leaf=lambda x: x is None)


def _skeleton(network: NetworkSpecification, frame):
    """Give a network without its trained arrays, of which none is drawn."""
    found = []

    def traced(key):
        nets, skeleton = eqx.partition(network.drawn(frame, key), is_trained)
        found.append(skeleton)
        return nets

    jax.eval_shape(traced, jax.eval_shape(jax.random.key, 0))
    return found[0]


def _as_it_is(module, members, models, role):
    if members > 1:
        raise ValueError(
            f"{role}: one module cannot start {members} members of a mixture, which would stay alike; give a function "
            "of a JAX key that makes one."
        )
    nets, skeleton = eqx.partition(module, is_trained)
    return jax.tree.map(lambda leaf: np.broadcast_to(np.asarray(leaf), (models, 1, *leaf.shape)), nets), skeleton


def _of_the_package(network, data, members, seeds):
    if data.ndim != 2:
        raise ValueError(f"data: shape {data.shape}; parametric models take (n,) or (n, d).")
    rows = np.asarray(data, np.float64)
    if isinstance(network, Generator):
        if rows.shape[1] != network.dim:
            raise ValueError(f"data: observations of {rows.shape[1]} coordinates; {network.name} draws {network.dim}.")
        flat = np.stack([parametric.thetas(network, rows, seed, members) for seed in seeds])
        return _trained_by(parametric.Parametric(jnp.asarray(flat, jnp.float32), network))
    placements = [parametric.alphas(network, rows, seeds[0] if members == 1 else s, members)[0] for s in seeds]
    _, basis, matrix = parametric.alphas(network, rows, seeds[0], 1)
    return _trained_by(parametric.Placed(jnp.asarray(np.stack(placements), jnp.float32), basis, matrix))


def _trained_by(module):
    """Take a module apart of which only its own array is trained."""
    return eqx.partition(module, is_trained)


def check_shapes(g: dict, d: dict, networks: tuple, latent_dim: int, shape: tuple[int, ...]) -> None:
    """Refuse networks that do not fit the data or each other: tried on shapes, of two draws and one observation."""
    nets = [
        jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape[2:], leaf.dtype), side["nets"]) for side in (g, d)
    ]
    latents, row = (jax.ShapeDtypeStruct(size, jnp.float32) for size in ((2, latent_dim), shape))

    def simulated(nets, latents):
        return jax.vmap(eqx.combine(nets, networks[0]), axis_name=BATCH)(latents)

    made = _tried(simulated, (nets[0], latents), "generator", (latent_dim,))[1:]
    if made != shape:
        raise ValueError(
            f"generator: it makes observations of shape {made}, the data's have {shape}; change its last layer."
        )
    said = _tried(lambda nets, row: eqx.combine(nets, networks[1])(row), (nets[1], row), "discriminator", shape)
    if int(np.prod(said)) != 1:
        raise ValueError(f"discriminator: it gives shape {said} for one observation; give a number.")


def _tried(function, arguments, role: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    try:
        found = jax.eval_shape(function, *arguments)
        return tuple(found.shape)
    except Exception as error:
        raise ValueError(
            f"{role}: it fails when called on one array of shape {shape}: {tracing.failure(error)}."
        ) from error


def key_numbers(seed: int, purpose: int, count: int) -> np.ndarray:
    """Numbers of independent keys, (count, 2), of a seed for a purpose: 0 and 1 are the starts of either side."""
    return np.random.SeedSequence([seed, purpose]).generate_state(2 * count, np.uint32).reshape(count, 2)


def is_family(network) -> bool:
    """Whether a generator has named parameters."""
    return isinstance(network, generators.Generator)
