"""Fit Newcomb's 66 measurements of the speed of light: maximum likelihood beside the GAN, table and figure."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import hellgan as hg


def main(figure: str = "newcomb.png") -> None:
    """Print the comparison and write the figure."""
    x = hg.datasets.load_newcomb()
    result = hg.GAN(x, generator=hg.generators.Normal()).fit()
    print("Newcomb's measurements, n = 66: passage times of light, in nanoseconds above 24,800\n")
    print(f"maximum likelihood: loc {x.mean():.2f}, scale {x.std():.2f}")
    print(f"GAN, root loss:     loc {result.params['loc']:.2f}, scale {result.params['scale']:.2f}\n")
    print(result.summary())
    print("\nobservations that the fitted generator does not account for:")
    for k in result.outliers():
        print(f"  at {k:2d}: {x[k]:4.0f}   P(real) = {result.outlier_scores()[k]:.2f}")
    axes = result.plot_fit()
    axes.set_title("Newcomb's measurements: normal generator, root loss")
    axes.figure.savefig(figure, dpi=150)
    print(f"\nfigure: {Path(figure).resolve()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
