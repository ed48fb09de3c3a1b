"""Bootstrap intervals of functionals of a trained generator's law, in one dimension."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import numpy as np

from hellgan.checks import checked_count, checked_seed, is_one_of, normal_quantile, shown
from hellgan.neural import players, reading
from hellgan.neural.modules import BATCH
from hellgan.neural.settings import Settings
from hellgan.neural.setup import Label, set_up
from hellgan.neural.training import trained

if TYPE_CHECKING:
    import pandas as pd

_DRAWN = 4096  # latent draws, the same for all replicates, over which a functional is averaged
_KINDS = ("percentile", "normal")


@dataclasses.dataclass(frozen=True)
class NeuralBootstrap:
    """Functionals E f(G(Z)) of a generator, with those of generators trained on resamples.

    Attributes
    ----------
    estimates : Series
        Of the generator trained on the data, by name.
    replicates : DataFrame
        One row a resample.
    n_failed : int
        Resamples whose training ended in numbers that are not finite; they are left out.
    """

    estimates: "pd.Series"
    replicates: "pd.DataFrame"
    n_failed: int

    @property
    def bse(self) -> "pd.Series":
        """Bootstrap standard errors: of the estimates, resampling and training together."""
        return self.replicates.std(ddof=1)

    def conf_int(self, alpha: float = 0.05, kind: str = "percentile") -> "pd.DataFrame":
        """Intervals of level 1 - alpha: quantiles of the replicates, or ``"normal"``, estimates and errors."""
        import pandas as pd

        z = normal_quantile(alpha)
        if not is_one_of(kind, _KINDS):
            raise ValueError(f"kind: got {shown(kind)}; give 'percentile' or 'normal'.")
        if kind == "normal":
            lower, upper = self.estimates - z * self.bse, self.estimates + z * self.bse
        else:
            lower, upper = (self.replicates.quantile(level) for level in (alpha / 2, 1 - alpha / 2))
        return pd.DataFrame({"lower": lower, "upper": upper})


def bootstrap(
    data,
    generator,
    discriminator,
    functionals: Callable | Mapping[str, Callable],
    loss="log_ns",
    *,
    steps: int,
    replications: int = 100,
    seed: int = 0,
    **settings,
) -> NeuralBootstrap:
    """Train on the data and on resamples of them, side by side, and compare functionals of the simulated laws.

    Every model has a start, batches and latents of its own, so that the replicates vary as much as the estimate does by
    sampling and by training. What is covered is the functional of the law that such training finds in the mean, which
    is that of the data only as far as the network can represent the law and training ends near it: see the study in
    ``docs/neural.md``.

    Parameters
    ----------
    data : (n,) array_like
        Numbers; at least 10.
    generator, discriminator, loss, steps
        As for ``train``; one loss. Keep networks small.
    functionals : callable or mapping of str to callable
        Functions f of observations, elementwise with NumPy; what is estimated is E f(G(Z)).
    replications : int
        Resamples.
    seed : int
    **settings
        What else ``train`` takes of training: ``batch``, ``rate``, ``noise``, ``average``, ...

    Returns
    -------
    NeuralBootstrap

    Raises
    ------
    ValueError, TypeError
        For bad input, and for data of several dimensions, for which nothing says that such intervals hold.
    """
    import pandas as pd

    x = reading.read_data(data)
    if x.ndim != 2 or x.shape[1] != 1:
        raise ValueError(
            f"data: shape {np.shape(data)}; intervals of trained networks are for numbers, (n,): in several dimensions "
            "nothing says that they hold. Take hg.GAN with a parametric generator."
        )
    if len(x) < 10:
        raise ValueError(f"data: {len(x)} observations; give at least 10.")
    if players.is_family(generator) or isinstance(generator, str):
        raise ValueError("generator: it has named parameters; take hg.GAN, whose fits have standard errors.")
    functions = _functions(functionals)
    for name, function in functions.items():
        _applied(name, function, np.linspace(float(x.min()), float(x.max()), 6).reshape(2, 3))
    replications, seed = checked_count("replications", replications, 2), checked_seed(seed)
    schedules = reading.schedules(loss)
    if len(schedules) > 1:
        raise ValueError(f"loss: got {len(schedules)} losses; give one.")
    unknown = [name for name in settings if name not in {field.name for field in dataclasses.fields(Settings)}]
    if unknown or settings.get("mixture") is not None:
        raise TypeError(f"{(unknown or ['mixture'])[0]}: bootstrap does not take it; see train for what else it means.")
    how = Settings(steps=steps, **settings)
    name, schedule = schedules[0]
    labels = [Label(name, seed + k, schedule) for k in range(replications + 1)]
    rng = np.random.default_rng([0xB007, seed])
    rows = np.vstack([np.arange(len(x)), rng.integers(len(x), size=(replications, len(x)))])
    setup, state = set_up(x, generator, discriminator, labels, how, rows)
    _, state, _ = trained(setup, state, how.steps, how.steps)
    nets = state.average if how.average is not None else state.players.g["nets"]
    z = _latents(setup.plan.latent, setup.plan.latent_dim, seed)
    drawn = np.asarray(_each_drawn(setup.networks[0], nets, z), np.float64)[..., 0]
    found = pd.DataFrame({key: np.mean(_applied(key, f, drawn), axis=1) for key, f in functions.items()})
    finite = np.all(np.isfinite(np.asarray(found, np.float64)), axis=1)
    if not finite[0] or finite.sum() < 3:
        raise ValueError("data: training on them ended in numbers that are not finite; give a lower rate.")
    replicates: Any = found.iloc[np.flatnonzero(finite)[1:]].reset_index(drop=True)
    estimates: Any = found.iloc[0].rename("estimate")
    return NeuralBootstrap(estimates, replicates, int(np.sum(~finite)))


def _functions(functionals) -> dict[str, Callable]:
    if callable(functionals):
        return {getattr(functionals, "__name__", "f"): functionals}
    if not isinstance(functionals, Mapping) or not functionals or not all(map(callable, functionals.values())):
        raise TypeError(f"functionals: got {shown(functionals)}; give a function of observations, or several by name.")
    return dict(functionals)


def _applied(name: str, function: Callable, drawn: np.ndarray) -> np.ndarray:
    found = np.asarray(function(drawn), np.float64)
    if found.shape != drawn.shape:
        raise ValueError(
            f"functionals: {name} turns shape {drawn.shape} into {found.shape}; write it elementwise, as np.square."
        )
    return found


def _latents(latent: str, dim: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng([0xF0, seed])
    drawn: Any = rng.standard_normal((_DRAWN, dim)) if latent == "normal" else rng.uniform(-1, 1, (_DRAWN, dim))
    return drawn.astype(np.float32)


@eqx.filter_jit
def _each_drawn(skeleton, nets, z):
    """Observations of every model's generator, (B, m, d)."""

    def of(nets):
        module = eqx.combine(jax.tree.map(lambda leaf: leaf[0], nets), skeleton)
        return jax.vmap(module, axis_name=BATCH)(z)

    return jax.lax.map(of, nets)
