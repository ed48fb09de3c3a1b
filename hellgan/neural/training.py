"""``train``: minibatch training of generators against discriminators."""

import time
import warnings
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from hellgan.cautions import TrainingWarning
from hellgan.checks import checked_count
from hellgan.neural import reading
from hellgan.neural.checkpoints import Folder
from hellgan.neural.loop import METRICS, advanced
from hellgan.neural.mixture import Mixture
from hellgan.neural.networks import Network
from hellgan.neural.run import Run
from hellgan.neural.settings import Settings, not_negative
from hellgan.neural.setup import Setup, labels_of, set_up


def train(
    data,
    generator: Network | Any,
    discriminator: Network | Any,
    loss: Any = "log_ns",
    *,
    steps: int,
    batch: int | None = 64,
    seed: Any = 0,
    mixture: Mixture | None = None,
    updates: str = "alternating",
    discriminator_steps: int = 1,
    rate: Any = 2e-4,
    optimizer: Any = None,
    average: float | None = None,
    r1: float = 0.0,
    gradient_penalty: float | None = None,
    spectral_norm: bool = False,
    noise: float = 0.0,
    noise_until: float = 0.5,
    latent: str = "normal",
    latent_dim: int | None = None,
    n_simulated: int | None = None,
    every: int | None = None,
    out: Any = None,
    resume: bool = True,
    checkpoint_every: float = 30.0,
    devices: int | None = None,
    progress: bool = True,
) -> Run:
    """Train a generator against a discriminator by minibatches; several losses and seeds side by side as one program.

    Parameters
    ----------
    data : (n,) or (n, ...) array_like
        Observations: numbers, vectors or images.
    generator : specification, equinox module, function or Generator
        ``hg.neural.MLPGenerator(...)`` or ``ConvGenerator(...)``; any equinox module called on one latent draw (k,),
        its arrays of JAX trained and those of NumPy constant; a function of a JAX key that makes one; or a family of
        ``hg.generators``, whose parameters are trained in the game of ``hg.GAN``.
    discriminator : specification, equinox module, function or Discriminator
        The same, called on one observation; it gives the log density ratio, a number. Or one of ``hg.discriminators``.
    loss : str, Loss, dict or list of them
        As ``hg.neural.losses.get`` takes it; a schedule ``{0: "log_ns", 1500: "root"}`` says since which step a loss is
        played. A list trains a model for each.
    steps : int
        Updates of the generator.
    batch : int, optional
        Observations of a minibatch, drawn with replacement, and as many simulated ones. None: all observations in every
        step, and all simulated ones of a parametric generator.
    seed : int or sequence of int
        Of the starts, the batches and the latents; several train a model for each, with each loss.
    mixture : Mixture, optional
        Several generators against several discriminators.
    updates : {"alternating", "simultaneous", "extragradient", "optimistic"}
    discriminator_steps : int
        Updates of the discriminator before each of the generator; for alternating updates.
    rate : float or pair of float
        Of Adam (beta_1 = .5); a pair is the generator's and the discriminator's.
    optimizer : optax transformation or pair of them, optional
        In the place of Adam.
    average : float, optional
        Decay of an exponential average of the generator's arrays, such as .999, from which the run then samples.
    r1 : float
        Weight g of the penalty g/2 E|v'(X)|^2 on real observations (Mescheder et al. 2018).
    gradient_penalty : float, optional
        Weight of E(|v'(.)| - 1)^2 between real and simulated observations (Gulrajani et al. 2017); 10 for the loss
        ``"wasserstein"``, 0 for others, unless given.
    spectral_norm : bool
        Divide the discriminator's matrices by their largest singular values (Miyato et al. 2018).
    noise : float
        Standard deviation of normal noise on both samples, in the data's units, that falls linearly to 0.
    noise_until : float
        Share of the steps after which there is no noise.
    latent : {"normal", "uniform"}
        Law of the latent coordinates of a network; uniform between -1 and 1.
    latent_dim : int, optional
        Length of a latent draw, for modules that have no attribute of this name.
    n_simulated : int, optional
        For a parametric generator, the number of Sobol points; as for ``hg.GAN``.
    every : int, optional
        Steps whose means make one record of the history; a hundredth of them unless given.
    out : str or Path, optional
        Folder of checkpoints.
    resume : bool
        Go on from the folder's newest checkpoint, with the same bits as if nothing had happened. Otherwise begin anew.
    checkpoint_every : float
        Seconds between checkpoints, at least; 0 for one with every record.
    devices : int, optional
        Over how many of the devices that JAX sees each batch is divided; as many as divide it unless given.
    progress : bool
        Whether to show a bar, where output is a terminal.

    Returns
    -------
    Run

    Raises
    ------
    ValueError, TypeError
        For bad input, in one sentence that names the argument and the remedy.
    ImportError
        Without optax, which ``pip install "hellgan[neural]"`` brings.

    Warns
    -----
    TrainingWarning
        Where numbers are no longer finite, the discriminator sees through the generator, or that has collapsed.

    Examples
    --------
    >>> import hellgan as hg
    >>> x = hg.datasets.load_faithful()["waiting"]
    >>> nets = hg.neural.MLPGenerator((16,), latent_dim=2), hg.neural.MLPDiscriminator((16,))
    >>> hg.neural.train(x, *nets, loss="root", steps=20, progress=False)
    <Run of 20 steps, root, seed 0>
    """
    settings = Settings(
        steps=steps, batch=batch, mixture=mixture, updates=updates, discriminator_steps=discriminator_steps, rate=rate,
        optimizer=optimizer, average=average, r1=r1, gradient_penalty=gradient_penalty, spectral_norm=spectral_norm,
        noise=noise, noise_until=noise_until, latent=latent, latent_dim=latent_dim, n_simulated=n_simulated,
        devices=devices,
    )  # fmt: skip
    every = max(1, settings.steps // 100) if every is None else checked_count("every", every)
    pause = not_negative("checkpoint_every", checkpoint_every)
    setup, state = set_up(reading.read_data(data), generator, discriminator, labels_of(loss, seed), settings)
    folder = None if out is None else Folder(out, setup.facts)
    step, state, history = trained(setup, state, settings.steps, every, folder, resume, pause, progress)
    run = Run(setup, state, history, step, np.ndim(data) == 1, None if folder is None else folder.path)
    if run.troubles:
        more = f"; {len(run.troubles) - 1} more in run.troubles" if len(run.troubles) > 1 else ""
        warnings.warn(f"{run!r}: {run.troubles[0]}{more}.", TrainingWarning, stacklevel=2)
    return run


def trained(
    setup: Setup,
    state: Any,
    steps: int,
    every: int,
    folder: Folder | None = None,
    resume: bool = True,
    pause: float = 30.0,
    progress: bool = False,
) -> tuple[int, Any, np.ndarray]:
    """Take steps up to ``steps``, or until no model is finite.

    Returns
    -------
    step : int
        The steps that are taken.
    state : State
        As NumPy.
    history : (R, B, 1 + k) array
        Records: the step, and means of METRICS over the steps since the last one.
    """
    step, records = 0, []
    if folder is not None:
        folder.begin(resume)
        found = folder.newest(state, steps) if resume else None
        if found is not None:
            step, state, history = found
            records = list(history)
    last = time.monotonic()
    with tqdm(total=steps, initial=step, unit="step", disable=None if progress else True, leave=False) as bar:
        while step < steps:
            end = min(steps, (step // every + 1) * every)
            state, sums = advanced(
                setup.plan, setup.networks, setup.material, setup.models, state, np.int32(step), np.int32(end)
            )
            means = np.asarray(sums, np.float64) / (end - step)
            records.append(np.column_stack([np.full(len(means), end), means]))
            bar.update(end - step)
            step = end
            if not np.any(np.isfinite(means[:, METRICS.index("value")])):
                break  # what is not finite is not kept either
            if folder is not None and (step == steps or time.monotonic() - last >= pause):
                folder.keep(step, jax.device_get(state), np.array(records))
                last = time.monotonic()
    shape = (0, len(setup.labels), 1 + len(METRICS))
    return step, jax.device_get(state), np.array(records) if records else np.zeros(shape)
