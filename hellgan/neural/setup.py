"""A run made ready: both sides begun, what is compiled, and what it is given."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import numpy as np

from hellgan.neural import losses, parametric, players, reading
from hellgan.neural.checkpoints import fingerprint
from hellgan.neural.game import Rules
from hellgan.neural.loop import Material, Model, Plan, State, all_started
from hellgan.neural.optimisers import optimisers_of
from hellgan.neural.settings import Settings

_PENALTY = 10.0  # weight of the gradient penalty, where the loss is the Wasserstein one


@dataclasses.dataclass(frozen=True)
class Label:
    """What a model is called, and what it plays."""

    loss: str
    seed: int
    schedule: reading.Schedule


@dataclasses.dataclass(frozen=True)
class Setup:
    """Everything that training is given, but the state.

    Attributes
    ----------
    plan : Plan
        What is compiled.
    networks : pair of modules
        Generator and discriminator without their trained arrays.
    material : Material
    models : Model
        A stack.
    labels : list of Label
        One a model.
    facts : dict
        What must agree for a run to go on from a checkpoint.
    """

    plan: Plan
    networks: tuple[Any, Any]
    material: Material
    models: Model
    labels: list[Label]
    facts: dict


def labels_of(loss, seed) -> list[Label]:
    """Cross losses and seeds."""
    seeds = reading.seeds_of(seed)
    return [Label(name, each, schedule) for name, schedule in reading.schedules(loss) for each in seeds]


def set_up(
    x: np.ndarray, generator, discriminator, labels: list[Label], settings: Settings, rows: np.ndarray | None = None
) -> tuple[Setup, State]:
    """Make a batch of models ready, and begin.

    Parameters
    ----------
    x : (n, ...) array
    generator, discriminator : as ``train`` takes them
    labels : list of Label
    settings : Settings
    rows : (B, n) array of int, optional
        The sample of each model, as rows of ``x``; all of them unless given.
    """
    generator, discriminator = players.read_generator(generator), players.read_discriminator(discriminator)
    is_family, mixture, seeds = players.is_family(generator), settings.mixture, [label.seed for label in labels]
    assert mixture is not None
    optimisers = optimisers_of(settings.rate, settings.optimizer, settings.updates == "optimistic")
    g, generator_net = players.begun(generator, x, mixture.generators, seeds, "generator")
    d, discriminator_net = players.begun(discriminator, x, mixture.discriminators, seeds, "discriminator")
    latent_dim = reading.latent_dim_of(generator if is_family else generator_net, settings.latent_dim)
    networks = generator_net, discriminator_net
    players.check_shapes(g, d, networks, latent_dim, x.shape[1:])
    played = reading.played([label.schedule for label in labels])
    penalties = _penalties(labels, settings.gradient_penalty)
    lines = tuple(losses.between(each) for each in played.losses)
    rules = Rules(
        played.losses, lines, mixture, settings.r1 > 0, bool(np.any(penalties > 0)), bool(settings.spectral_norm)
    )
    points = parametric.points_of(generator, len(x), settings.n_simulated, seeds[0]) if is_family else None
    plan = Plan(
        rules, optimisers, settings.updates, settings.discriminator_steps, settings.batch or 0,
        settings.batch or (0 if is_family else x.shape[0] if rows is None else rows.shape[1]),
        "points" if is_family else settings.latent, latent_dim, settings.noise > 0, settings.average is not None,
        settings.sharding(),
    )  # fmt: skip
    material = Material(
        x, None if points is None else points.astype(np.float32), played.since, np.float32(settings.noise),
        np.float32(max(1.0, settings.noise_until * settings.steps)), np.float32(settings.average or 0.0),
    )  # fmt: skip
    models = Model(
        _keys(seeds, 2), played.which, np.full(len(labels), settings.r1, np.float32), penalties,
        None if rows is None else rows.astype(np.int32),
    )  # fmt: skip
    state = all_started(plan, g, d, _keys(seeds, 3))
    setup = Setup(plan, networks, material, models, labels, {})
    return dataclasses.replace(setup, facts=_facts(setup, settings, state, (generator, discriminator))), state


def _keys(seeds: list[int], purpose: int) -> np.ndarray:
    """Numbers of a key for each seed, (B, 2): batches and latents are of purpose 2, spectral vectors of 3."""
    return np.concatenate([players.key_numbers(seed, purpose, 1) for seed in seeds])


def _penalties(labels: list[Label], given: float | None) -> np.ndarray:
    """Weight of each model's gradient penalty."""
    own = [_PENALTY if any(loss == losses.wasserstein for _, loss in label.schedule) else 0.0 for label in labels]
    return np.array(own if given is None else [given] * len(labels), np.float32)


def _facts(setup: Setup, settings: Settings, state: State, networks) -> dict:
    shapes = [list(np.shape(leaf)) for leaf in jax.tree.leaves(state)]
    given = [jax.tree.leaves(each) for each in networks if isinstance(each, eqx.Module)]
    return {
        "data": fingerprint(setup.material.data),
        "generator": [type(setup.networks[0]).__name__, setup.plan.latent_dim],
        "discriminator": type(setup.networks[1]).__name__,
        "shapes of the arrays": shapes,
        "start": fingerprint(*(leaf for leaves in given for leaf in leaves if eqx.is_array(leaf))),
        "loss": [[[since, loss.name] for since, loss in label.schedule] for label in setup.labels],
        "seed": [label.seed for label in setup.labels],
        **settings.facts(),
    }
