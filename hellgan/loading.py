"""Reading a saved fit: its model is built anew, and what was found is put beside it."""

import os

import pandas as pd

from hellgan import discriminators, generators, losses, storage
from hellgan.gan import GAN
from hellgan.results import GANResults


def load(
    path: str | os.PathLike,
    *,
    generator=None,
    discriminator=None,
    loss=None,
) -> GANResults:
    """Read a result that ``GANResults.save`` wrote; no code of the file is run.

    Parameters
    ----------
    path : path
    generator, discriminator, loss : Generator, Discriminator, Loss
        The user's own, where the fit had one: functions are not stored.

    Raises
    ------
    ValueError
        For a file that is not such a result, or when a function that the fit used is not passed.
    """
    arrays, facts = storage.read(path)
    parts = {"generator": generator, "discriminator": discriminator, "loss": loss}
    for name, given in parts.items():
        if given is None and facts[name] is None:
            raise ValueError(f"load: the fit used a {name} of your own; pass it as {name}=.")
    data = arrays["x"]
    if facts["columns"]:
        data = pd.DataFrame(data, columns=facts["columns"])
    model = GAN(
        data,
        generators.rebuild(**facts["generator"]) if generator is None else generator,
        discriminators.make(**facts["discriminator"]) if discriminator is None else discriminator,
        losses.get(facts["loss"]) if loss is None else loss,
        weights=arrays.get("weights"),
        latent=facts["latent"],
        n_simulated=facts["n_simulated"],
        seed=facts["seed"],
    )
    if model.generator.name != facts["simulator"]:
        raise ValueError(
            f"load: the fit used the generator {facts['simulator']}, not {model.generator.name}; pass the fit's own."
        )
    for name, part, size in (
        ("generator", model.generator, arrays["saddle.theta"].size),
        ("discriminator", model.basis, arrays["saddle.alpha"].size),
    ):
        if part.size != size:
            raise ValueError(f"load: the fit's {name} had {size} parameters, not {part.size}; pass the fit's own.")
    return GANResults(model, *storage.unpack(arrays, facts))
