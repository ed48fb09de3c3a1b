"""Real data: small classics of robust statistics, bundled, and images, read from where the user has them.

`bundled` holds the classics, each with what is known about it; `idx` reads the files of MNIST's format, `images` finds
and checks them.
"""

from hellgan.datasets.bundled import (
    Summary,
    csv_text,
    load_animals2,
    load_chem,
    load_darwin,
    load_faithful,
    load_galaxies,
    load_newcomb,
    load_stackloss,
    load_stars_cyg,
    load_telephone,
    load_vonbort,
    names,
    summaries,
)
from hellgan.datasets.images import Images, fetch_fashion_mnist, fetch_mnist

__all__ = [
    "Images",
    "Summary",
    "csv_text",
    "fetch_fashion_mnist",
    "fetch_mnist",
    "load_animals2",
    "load_chem",
    "load_darwin",
    "load_faithful",
    "load_galaxies",
    "load_newcomb",
    "load_stackloss",
    "load_stars_cyg",
    "load_telephone",
    "load_vonbort",
    "names",
    "summaries",
]
