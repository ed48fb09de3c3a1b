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
    logits = jnp.zeros((len(seeds), members), jnp.float32) if members > 1 else None
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
    side = _ROLES.index(role)
    drawn = jnp.stack([jax.random.key_data(jax.random.split(key_of(seed, side), members)) for seed in seeds])
    try:
        module = placed(network, data, jax.random.wrap_key_data(drawn[0, 0]))
    except TypeError as error:
        if isinstance(network, NetworkSpecification):
            raise
        raise TypeError(
            f"{role}: called with a key it fails ({tracing.failure(error)}); give an equinox module, or a function of "
            "a JAX key that makes one."
        ) from error
    if not isinstance(module, eqx.Module):
        raise TypeError(f"{role}: called with a key it gives {shown(module)}; give a function that makes a module.")

    def trained(key):
        return eqx.filter(placed(network, data, key), is_trained)

    return jax.vmap(jax.vmap(trained))(jax.random.wrap_key_data(drawn)), eqx.partition(module, is_trained)[1]


def _as_it_is(module, members, models, role):
    if members > 1:
        raise ValueError(
            f"{role}: one module cannot start {members} members of a mixture, which would stay alike; give a function "
            "of a JAX key that makes one."
        )
    nets, skeleton = eqx.partition(module, is_trained)
    return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (models, 1, *leaf.shape)), nets), skeleton


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


def check_shapes(generator: Any, discriminator: Any, latent_dim: int, shape: tuple[int, ...]) -> None:
    """Refuse networks that do not fit the data or each other: tried on shapes, of one draw and one observation."""
    from hellgan.neural.modules import BATCH

    latent = jax.ShapeDtypeStruct((2, latent_dim), jnp.float32)
    row = jax.ShapeDtypeStruct(shape, jnp.float32)
    made = _tried(lambda z: jax.vmap(generator, axis_name=BATCH)(z), latent, "generator", f"({latent_dim},)")[1:]
    if made != shape:
        raise ValueError(
            f"generator: it makes observations of shape {made}, the data's have {shape}; change its last layer."
        )
    said = _tried(discriminator, row, "discriminator", str(shape))
    if int(np.prod(said)) != 1:
        raise ValueError(f"discriminator: it gives shape {said} for one observation; give a number.")


def _tried(function, argument, role: str, shape: str) -> tuple[int, ...]:
    try:
        found = jax.eval_shape(function, argument)
        return tuple(found.shape)
    except Exception as error:
        raise ValueError(
            f"{role}: it fails when called on one array of shape {shape}: {tracing.failure(error)}."
        ) from error


def key_of(seed: int, purpose: int):
    """Give a key of a seed for a purpose: 0 and 1 are the starts of generator and discriminator."""
    return jax.random.fold_in(jax.random.key(seed), purpose)


def is_family(network) -> bool:
    """Whether a generator has named parameters."""
    return isinstance(network, generators.Generator)
