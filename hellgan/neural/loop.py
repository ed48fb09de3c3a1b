"""The compiled loop: many steps of one model, or of several side by side, as one program.

A step's random numbers depend on the model's seed and the step's number alone, so that a run is the same to the last
bit however it is divided into calls.
"""

import dataclasses
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import NamedSharding, PartitionSpec

from hellgan.execution import programs
from hellgan.neural import spectral
from hellgan.neural.game import Draw, Game, Rules, Weighting
from hellgan.neural.modules import latent_draws
from hellgan.neural.updates import SCHEMES, Gradients, Optimisers, Players

METRICS = (
    "value", "accuracy_real", "accuracy_simulated", "generator_loss", "discriminator_gradient", "generator_gradient",
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is compiled: hashable, and equal for runs that differ in data, seeds and numbers alone.

    Attributes
    ----------
    rules : Rules
    optimisers : Optimisers
    updates : str
    discriminator_steps : int
    batch : int
        Observations of a minibatch; 0 for all of them in every step.
    simulated : int
        Simulated observations that each generator's are held against; 0 for all latent points.
    latent : {"normal", "uniform", "points"}
        Law of the latent coordinates, or points that are drawn from.
    latent_dim : int
    has_noise, has_average : bool
    sharding : NamedSharding, optional
        How the rows of a batch lie on the devices.
    """

    rules: Rules
    optimisers: Optimisers
    updates: str
    discriminator_steps: int
    batch: int
    simulated: int
    latent: str
    latent_dim: int
    has_noise: bool
    has_average: bool
    sharding: NamedSharding | None


class Material(NamedTuple):
    """What all models share, as arrays."""

    data: Any  # (N, ...)
    points: Any  # (m, k), or None
    since: Any  # (S,), the steps from which each loss of a schedule is played
    noise: Any  # standard deviation of the instance noise at the beginning
    noise_until: Any  # the step at which it is 0
    average: Any  # decay of the generators' average


class Model(NamedTuple):
    """What is a model's own; a stack of them has a leading axis."""

    key: Any  # (2,), the numbers of a key
    which: Any  # (S,), which of the rules' losses is played since when
    r1: Any
    gradient_penalty: Any
    rows: Any  # (n,), the rows of the data that are its sample; None for all


class State(NamedTuple):
    """Where training stands; of several models with a leading axis."""

    players: Players
    average: Any  # of the generators' arrays; None unless asked for


def started(plan: Plan, g: dict, d: dict, key: jax.Array) -> State:
    """Begin with given players of one model."""
    vectors = None
    if plan.rules.is_spectral:
        keys = jax.random.split(jax.random.wrap_key_data(key), plan.rules.mixture.discriminators)
        vectors = jax.vmap(spectral.begun)(d["nets"], keys)
    players = Players(g, d, plan.optimisers.g.init(g), plan.optimisers.d.init(d), vectors)
    return State(players, g["nets"] if plan.has_average else None)


@eqx.filter_jit
def all_started(plan: Plan, g: dict, d: dict, keys) -> State:
    """Begin with given players of several models."""
    return jax.vmap(lambda g, d, key: started(plan, g, d, key))(g, d, keys)


def _advanced(plan: Plan, networks: tuple, material: Material, models: Model, state: State, begin, end):
    """Take the steps from ``begin`` up to ``end``: the new state, and the sums of METRICS over the steps, (B, 6)."""
    game = Game(plan.rules, *networks)
    count = len(models.r1)

    def one(model: Model, state: State, step):
        return _step(plan, game, material, model, state, step)

    def all_models(step, carry):
        state, sums = carry
        if count > 1:
            state, told = jax.vmap(one, in_axes=(0, 0, None))(models, state, step)
        else:
            state, told = _stacked(one(_first(models), _first(state), step))
        return state, sums + told

    return lax.fori_loop(begin, end, all_models, (state, jnp.zeros((count, len(METRICS)), jnp.float32)))


_how: dict[str, Any] = {"compiler_options": programs.OPTIONS}
advanced: Any = eqx.filter_jit(_advanced, **_how)


def weighting_of(material: Material, model: Model, step) -> Weighting:
    """Give the loss and penalties that are in force at a step."""
    stage = jnp.searchsorted(material.since, step, side="right") - 1
    return Weighting(model.which[stage], model.r1, model.gradient_penalty)


def drawn(plan: Plan, material: Material, model: Model, key, step) -> Draw:
    """Draw a minibatch, with replacement, and latents for each generator."""
    keys, members = jax.random.split(key, 4), plan.rules.mixture.generators
    size = len(material.data) if model.rows is None else len(model.rows)
    chosen = jax.random.randint(keys[0], (plan.batch,), 0, size) if plan.batch else jnp.arange(size)
    chosen = _laid(plan, chosen, 0)
    real = material.data[chosen if model.rows is None else model.rows[chosen]]
    noise = None
    latents = _laid(plan, _latents(plan, material, keys[1], members), 1)
    if plan.has_noise:
        scale = material.noise * jnp.maximum(0.0, 1 - step / material.noise_until)
        b, m = len(real), latents.shape[1]
        both = scale * jax.random.normal(keys[2], (b + members * m, *real.shape[1:]), real.dtype)
        real = real + _laid(plan, both[:b], 0)
        noise = _laid(plan, both[b:].reshape((members, m, *real.shape[1:])), 1)
    shares = jax.random.uniform(keys[3], (len(real),), real.dtype) if plan.rules.has_gradient_penalty else None
    return Draw(real, latents, noise, shares)


def _latents(plan: Plan, material: Material, key, members: int):
    shape = (members, plan.simulated, plan.latent_dim)
    if plan.latent != "points":
        return latent_draws(plan.latent, key, shape)
    if not plan.simulated:
        return jnp.broadcast_to(material.points, (members, *material.points.shape))
    return material.points[jax.random.randint(key, shape[:2], 0, len(material.points))]


def _step(plan: Plan, game: Game, material: Material, model: Model, state: State, step):
    weighting = weighting_of(material, model, step)
    count = plan.discriminator_steps + 1 if plan.updates == "alternating" else 1
    keys = jax.random.split(jax.random.fold_in(jax.random.wrap_key_data(model.key), step), count)
    # One call for all gradients of the step: random numbers take long to compile.
    every = jax.vmap(lambda key: drawn(plan, material, model, key, step))(keys)
    draws = [jax.tree.map(lambda leaf, k=k: leaf[k], every) for k in range(count)]

    def of_d(g, d, vectors, draw):
        fake = lax.stop_gradient(game.simulated(g, draw))
        loss = jax.value_and_grad(game.discriminator_loss, has_aux=True)
        (_, told), slope = loss(d, g, vectors, weighting, draw, fake)
        return slope, (*told, _size(slope))

    def of_g(g, d, vectors, draw):
        (_, value), slope = jax.value_and_grad(game.generator_loss, has_aux=True)(g, d, vectors, weighting, draw)
        return slope, (value, _size(slope))

    def refreshed(d, vectors):
        return jax.vmap(spectral.iterated)(d["nets"], vectors) if plan.rules.is_spectral else None

    gradients = Gradients(of_d, of_g, refreshed)
    players, (told, said) = SCHEMES[plan.updates](state.players, draws, gradients, plan.optimisers)
    average = state.average
    if plan.has_average:
        # Early weights are forgotten sooner.
        decay = jnp.minimum(material.average, (1.0 + step) / (10.0 + step))
        average = jax.tree.map(lambda a, b: a + (1 - decay) * (b - a), average, players.g["nets"])
    value, real, simulated, steep = told
    metrics = jnp.stack([value, real, simulated, said[0], steep, said[1]])
    return State(players, average), metrics.astype(jnp.float32)


def _size(slope):
    """Euclidean norm of a gradient."""
    return jnp.sqrt(sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(slope)))


def _laid(plan: Plan, rows, axis: int):
    """Lay the rows of a batch over the devices; what is computed of them follows."""
    if plan.sharding is None:
        return rows
    spec = PartitionSpec(*(None,) * axis, *plan.sharding.spec)
    return lax.with_sharding_constraint(rows, NamedSharding(plan.sharding.mesh, spec))


def _first(stack):
    return jax.tree.map(lambda leaf: leaf[0], stack)


def _stacked(single):
    return jax.tree.map(lambda leaf: leaf[None], single)
