"""Make the figures of README and of the pages in this folder: ``python docs/figures.py`` writes ``docs/**/*.png``."""

import re
import runpy
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "benchmarks"))

import numpy as np
import provenance

import hellgan as hg
from hellgan import plots

HERE = Path(__file__).resolve().parent
FOLDER = HERE / "figures"
MADE: list[Path] = []
DISCRIMINATORS = {"Sigmoids(16)": None, "Polynomial(2)": hg.discriminators.Polynomial(2)}


def save(axes, name: str, dpi: int = 90) -> None:
    """Write the figure of an Axes, or of the first of several."""
    MADE.append(FOLDER / f"{name}.png")
    np.ravel(axes)[0].figure.savefig(MADE[-1], dpi=dpi, pil_kwargs={"optimize": True})
    plots.close(np.ravel(axes)[0])


def influence_of_discriminators(x):
    """Draw the location's influence function with bounded and with unbounded features."""
    fits = {
        name: hg.GAN(x, generator=hg.generators.Normal(), discriminator=discriminator).fit()
        for name, discriminator in DISCRIMINATORS.items()
    }
    grid = np.linspace(*plots.view(x), 401)
    curves = {name: fit.influence().at(grid)["loc"] for name, fit in fits.items()}
    observed = {name: fit.influence().observations["loc"] for name, fit in fits.items()}
    ax = plots.influence_curves(grid, curves, x, observed, [])
    ax.set_ylabel("influence on loc")
    return ax


def bias_of_losses():
    """Draw the location's bias under a tenth of contamination along its place, for losses and maximum likelihood."""
    x = np.random.default_rng(0).normal(0, 1, 400)
    points = np.concatenate([np.linspace(0, 6, 25), [6.5, 7, 8]])
    curves = []
    for loss in ("hellinger", "log", "root"):
        influence = hg.GAN(x, generator=hg.generators.Normal(), loss=loss).fit().influence()
        curves.append(influence.bias_curve(points, 0.1))
    curves.append(influence.bias_curve(points, 0.1, estimator="ml"))
    return plots.bias_curves(curves, "loc")


def study_of_reading():
    """Run the study of ``reading.md``: the page's first block."""
    page = (HERE / "reading.md").read_text(encoding="utf-8")
    names: dict = {}
    exec(re.findall(r"```python\n(.*?)```", page, re.DOTALL)[0], names)
    return names["result"]


def studies(result) -> None:
    """Draw the figures that ``reading.md`` explains, by the calls that it gives."""
    shares = {"contamination": ["none", "far 10 %", "far 20 %"]}
    measures = ["bias", "rmse", "se_ratio", "coverage"]
    save(result.plot_zip("scale", where={"contamination": "far 10 %"}), "study_zip")
    save(result.plot_lollipop(measures, parameter="loc", where={"contamination": "near 10 %"}), "study_lollipop")
    save(result.plot_contamination("loc", ["bias", "rmse", "coverage"], where=shares), "study_contamination")
    save(result.plot_qq("scale", where={"contamination": "none"}), "study_qq")


def demo() -> None:
    """Run the example that `make demo` runs, for README's figure."""
    MADE.append(HERE / "newcomb.png")
    runpy.run_path(str(HERE.parent / "examples" / "newcomb.py"))["main"](str(MADE[-1]))


def main() -> None:
    now = provenance.commit()
    FOLDER.mkdir(exist_ok=True)
    demo()
    x = hg.datasets.load_newcomb()
    newcomb = hg.GAN(x, generator=hg.generators.Normal()).fit()
    save(newcomb.plot_diagnostics(), "newcomb_diagnostics", dpi=70)
    save(newcomb.plot_profile("scale"), "newcomb_profile")
    save(influence_of_discriminators(x), "influence_discriminators")
    save(bias_of_losses(), "bias_losses")
    studies(study_of_reading())
    provenance.sign(MADE, provenance.line(__file__, now))


if __name__ == "__main__":
    main()
