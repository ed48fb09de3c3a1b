"""Networks trained by kernels, after Sinn and Rawat (2018): only the generator, against the closed-form discriminator.

Equation numbers are those of ``docs/theory.md``.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from tqdm import tqdm

from hellgan.checks import checked_count, checked_real, checked_seed, is_one_of, shown
from hellgan.execution import tracing
from hellgan.kernels import Kernel, Plugin
from hellgan.kernels.plugin import closed_form
from hellgan.losses import Loss
from hellgan.neural.autoencoder import Autoencoder
from hellgan.neural.kernel_run import KernelRun, Stage, simulated
from hellgan.neural.modules import latent_draws
from hellgan.neural.networks import Network, is_trained, placed
from hellgan.neural.optimisers import require_optax
from hellgan.neural.reading import latent_dim_of, read_data
from hellgan.neural.updates import moved

_TOLD = 250  # steps between two rows of the history
_SETTLED = 2048  # draws that the moments of batch normalisation are taken of
LAWS = ("normal", "uniform")


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class EqualPeaks(Kernel):
    """Gaussian kernels with the value 1 at 0, so that of a mixture no bandwidth outweighs the others.

    Of components of mass one, the narrowest would: in d coordinates by the ratio of bandwidths to the power d.
    """

    def log_peaks(self, xp: Any = jnp):
        return xp.zeros(self.bandwidths.shape[0], self.bandwidths.dtype)


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is compiled: hashable."""

    loss: Loss
    rate: float
    batch: int
    draws: int
    latent: str
    latent_dim: int
    is_adversarial: bool


class Numbers(NamedTuple):
    """What a stage depends on besides: arrays, or numbers."""

    bandwidths: Any  # (k,)
    phi: Any
    own_weight: Any
    penalty: Any


def train_kernel(
    data,
    generator: Network,
    *,
    bandwidth: float | Sequence[float],
    loss: str | Loss = "log",
    features: Autoencoder | None = None,
    kernel: Sequence[float] = (1.0,),
    phi: float = 0.0,
    own_weight: float = 1.0,
    steps: int = 2000,
    batch: int = 128,
    simulated: int | None = None,
    latent: str = "normal",
    latent_dim: int | None = None,
    rate: float = 1e-3,
    seed: int = 0,
    progress: bool | None = None,
) -> KernelRun:
    """Train a generator by kernel density estimates of minibatches: no discriminator is trained.

    In each step the value of the game, (25), of a minibatch and as many draws of the generator is decreased by Adam.
    With ``features`` the kernels see codes of an autoencoder, which in turn increases that value, less a penalty for
    what it cannot reconstruct.

    Parameters
    ----------
    data : (n, d) or (n, h, w) array
        Numbers; images on any one scale.
    generator : MLPGenerator, ConvGenerator, equinox module, or function of a JAX key
        As for ``train``.
    bandwidth : number, or sequence of numbers
        The kernel's standard deviation in each coordinate (or each coordinate of a code). A sequence is gone through
        from first to last, each for ``steps`` steps: from wide to narrow, since a kernel feels nothing that is many
        bandwidths away.
    loss : str or Loss
        One with a closed form, as for ``KernelGAN``; the paper's is ``"log"``.
    features : Autoencoder, optional
    kernel : sequence of numbers
        A mixture of Gaussian kernels: multiples of the bandwidth, each with the same value at 0.
    phi : float
        What is added to both densities, in units of a kernel's value at 0.
    own_weight : float
        What a point counts in the density at itself: 1 as any other (the paper's), 0 not at all.
    steps : int
        Of each bandwidth.
    batch, simulated : int
        Observations and draws in a step; as many draws as observations unless given.
    latent : {"normal", "uniform"}
        Law of the latent coordinates; uniform between -1 and 1.
    latent_dim : int, optional
        Latent coordinates, where the generator has no ``latent_dim`` of its own.
    rate : float
        Adam's learning rate.
    seed : int
    progress : bool, optional
        Whether to show a progress bar; unless given, where the output is a terminal.

    Returns
    -------
    KernelRun
        With ``history``, ``sample`` and the generators at the end of each bandwidth, ``stages``.

    Raises
    ------
    ValueError, TypeError
        For bad input, in one sentence.
    ImportError
        Where optax is missing.

    Notes
    -----
    A minibatch's densities are those of a sample of its size: where a batch has few points within a bandwidth of each
    other, every point sees itself alone, and training stops.

    References
    ----------
    Sinn and Rawat (2018), Non-parametric estimation of Jensen-Shannon divergence in generative adversarial network
    training, AISTATS.

    Examples
    --------
    >>> import numpy as np
    >>> import hellgan as hg
    >>> x = np.random.default_rng(0).normal(3.0, 0.5, (500, 1))
    >>> generator = hg.neural.MLPGenerator((8,), latent_dim=2)
    >>> hg.neural.train_kernel(x, generator, bandwidth=(1.0, 0.3), steps=10, batch=32)
    <KernelRun of 20 steps, bandwidths 1, 0.3, seed 0>
    """
    x, widths = read_data(data), _numbers("bandwidth", bandwidth)
    steps, seed, least = checked_count("steps", steps), checked_seed(seed), {"least": -1e-300}
    names = ("generator", "features", "steps", "settled")
    keys = dict(zip(names, jax.random.split(jax.random.key(seed), len(names)), strict=True))
    module = placed(generator, x, keys["generator"])
    if features is not None and not isinstance(features, Autoencoder):
        raise TypeError(f"features: got {shown(features)}; give an hg.neural.Autoencoder, or nothing.")
    if not is_one_of(latent, LAWS):
        raise ValueError(f"latent: got {shown(latent)}; give 'normal' or 'uniform'.")
    plan = Plan(
        closed_form(loss),
        checked_real("rate", rate, "a positive learning rate"),
        checked_count("batch", batch, least=2),
        checked_count("simulated", batch if simulated is None else simulated, least=2),
        latent,
        latent_dim_of(module, latent_dim),
        features is not None and features.is_adversarial,
    )
    numbers = Numbers(
        np.array(_numbers("kernel", kernel), np.float32),
        np.float32(checked_real("phi", phi, "a number of at least 0", **least)),
        np.float32(checked_real("own_weight", own_weight, "a weight from 0 to 1", most=1.0, **least)),
        np.float32(0 if features is None else features.penalty),
    )
    _check_shapes(module, plan.latent_dim, x.shape[1:])
    coder = None if features is None else features.place(x, keys["features"])
    networks = tuple(None if each is None else eqx.partition(each, is_trained) for each in (module, coder))
    fixed = tuple(None if each is None else each[1] for each in networks)
    state = _started(plan, *(None if each is None else each[0] for each in networks))
    warm_up = 0 if features is None else features.warm_up
    periods = [(None, warm_up)] * bool(warm_up) + [(width, steps) for width in widths]
    is_line = np.ndim(data) == 1
    stages, rows, done, material = [], [], 0, jnp.asarray(x)
    bar = tqdm(
        total=sum(count for _, count in periods), disable=None if progress is None else not progress, unit="step"
    )
    with bar:
        for width, count in periods:
            given = numbers._replace(bandwidths=np.float32(width or 1.0) * numbers.bandwidths)
            for begin in range(0, count, _TOLD):
                some = min(_TOLD, count - begin)
                stepping = jax.random.split(jax.random.fold_in(keys["steps"], done), some)
                state, told = advanced(plan, fixed, width is None, material, given, stepping, state)
                done += some
                rows.append((done, np.nan if width is None else width, *np.asarray(told, float)))
                bar.update(some)
            if width is not None:
                stages.append(_stage(width, fixed, state, plan, keys["settled"]))
    return KernelRun.of(stages, rows, plan.latent, plan.latent_dim, is_line, seed)


class State(NamedTuple):
    """Trained arrays of both networks with what their optimisers remember; of the coder None where there is none."""

    generator: Any
    coder: Any
    of_generator: Any
    of_coder: Any


def objective(plan: Plan, given: Numbers, x: jax.Array, g: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Both parts of K_n, (25), of rows (b, d) and draws (m, d) in the coordinates that the kernels see."""
    d = x.shape[1]
    kernel = EqualPeaks(jnp.broadcast_to(given.bandwidths[:, None], (given.bandwidths.shape[0], d)))
    plugin = Plugin(plan.loss, kernel, given.phi, jnp.stack([given.own_weight, given.own_weight]))
    w, u = (jnp.full(len(rows), 1 / len(rows), rows.dtype) for rows in (x, g))
    return plugin.parts(x, w, g, u)


def _started(plan: Plan, generator, coder) -> State:
    adam = _adam(plan)
    return State(generator, coder, adam.init(generator), None if coder is None else adam.init(coder))


def _adam(plan: Plan):
    """Adam; with the smaller beta_1 of adversarial training where there is an adversary."""
    return require_optax().adam(plan.rate, b1=0.5 if plan.is_adversarial else 0.9)


@eqx.filter_jit
def advanced(plan: Plan, fixed: tuple, is_warm_up: bool, data, given: Numbers, keys, state: State):
    """Take a step for each key; the state, and means over the steps: both parts of the value, the coder's error."""
    adam, has_coder = _adam(plan), state.coder is not None

    def parts(generator, coder, key):
        rows, latents = jax.random.split(key)
        x = data[jax.random.randint(rows, (plan.batch,), 0, len(data))]
        z = latent_draws(plan.latent, latents, (plan.draws, plan.latent_dim))
        g = simulated(eqx.combine(generator, fixed[0]), z)
        if not has_coder:
            return objective(plan, given, _flat(x), _flat(g)), jnp.zeros(())
        of = eqx.combine(coder, fixed[1])
        # An encoder that is held to the data alone may give noise the codes of data. While it is trained alone the
        # generator has not begun, and its draws teach nothing.
        rebuilt = x if is_warm_up else jnp.concatenate([x, g])
        return objective(plan, given, jax.vmap(of)(x), jax.vmap(of)(g)), jnp.mean(jax.vmap(of.error)(rebuilt))

    def of_coder(coder, generator, key):
        (real, fake), error = parts(generator, coder, key)
        value = real + fake if plan.is_adversarial and not is_warm_up else 0.0
        return given.penalty * error - value, error

    def of_generator(generator, coder, key):
        (real, fake), _ = parts(generator, coder, key)
        return real + fake, jnp.stack([real, fake])

    def step(state: State, key):
        for_coder, for_generator = jax.random.split(key)
        error, told = jnp.zeros(()), jnp.full(2, jnp.nan)
        if has_coder:
            slope, error = jax.grad(of_coder, has_aux=True)(state.coder, state.generator, for_coder)
            coder, memory = moved(adam, slope, state.of_coder, state.coder)
            state = state._replace(coder=coder, of_coder=memory)
        if not is_warm_up:
            slope, told = jax.grad(of_generator, has_aux=True)(state.generator, state.coder, for_generator)
            generator, memory = moved(adam, slope, state.of_generator, state.generator)
            state = state._replace(generator=generator, of_generator=memory)
        return state, jnp.concatenate([told, error[None]])

    state, told = lax.scan(step, state, keys)
    return state, jnp.mean(told, axis=0)


def _stage(width: float, fixed: tuple, state: State, plan: Plan, key) -> Stage:
    generator = eqx.combine(state.generator, fixed[0])
    if hasattr(generator, "settled"):  # batch normalisation, of which sampling wants the moments
        generator = generator.settled(latent_draws(plan.latent, key, (_SETTLED, plan.latent_dim)))
    return Stage(float(width), generator, None if state.coder is None else eqx.combine(state.coder, fixed[1]))


def _check_shapes(generator, latent_dim: int, shape: tuple[int, ...]) -> None:
    """Refuse a generator that does not make observations of this shape: tried on shapes, of two draws."""
    try:
        made = jax.eval_shape(lambda z: simulated(generator, z), jax.ShapeDtypeStruct((2, latent_dim), jnp.float32))
    except Exception as error:
        raise ValueError(
            f"generator: it fails when called on a latent draw of {latent_dim} coordinates: {tracing.failure(error)}."
        ) from error
    if made.shape[1:] != shape:
        raise ValueError(
            f"generator: it makes observations of shape {made.shape[1:]}, the data's have {shape}; change its last "
            "layer."
        )


def _flat(x):
    return x.reshape(x.shape[0], -1)


def _numbers(name: str, given) -> tuple[float, ...]:
    several = given if isinstance(given, (list, tuple, np.ndarray)) else [given]
    found = tuple(checked_real(name, each, "a positive number, or several") for each in several)
    if not found:
        raise ValueError(f"{name}: got {shown(given)}; give a positive number, or several.")
    return found
