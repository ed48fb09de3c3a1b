"""Real data, bundled: small classics of robust statistics with what is known about each.

A set of one column comes as a float64 array, any other as a pandas frame. Every call reads the file anew, so
what a caller does to the result stays with the caller. Reference estimates in the docstrings were recomputed
from the bundled numbers (R 4.2.2 with MASS and robustbase 0.95-0, NumPy, statsmodels); standard deviations of
maximum likelihood divide by n. Rows are counted from 1 in the text, as the literature does.
"""

from importlib.resources import files
from typing import IO, TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Float64

if TYPE_CHECKING:
    import pandas


class Summary(NamedTuple):
    """One line of the catalogue: `load_<name>()` gives `n` rows of `columns`."""

    name: str
    n: int
    columns: tuple[str, ...]
    description: str


_CATALOGUE = (
    Summary("newcomb", 66, ("deviation",), "passage times of light, 1882; two gross outliers"),
    Summary(
        "stackloss",
        21,
        ("air_flow", "water_temp", "acid_conc", "stack_loss"),
        "ammonia lost by a chemical plant on 21 days; regression with outliers",
    ),
    Summary("chem", 24, ("copper",), "copper in wholemeal flour; one gross outlier"),
    Summary("vonbort", 280, ("deaths", "year", "corps"), "deaths by horse kick in the Prussian army; clean counts"),
    Summary("darwin", 15, ("difference",), "cross- minus self-fertilised plant heights; two low values"),
    Summary("stars_cyg", 47, ("log_te", "log_light"), "temperature and light of stars; four giants apart"),
    Summary("telephone", 24, ("year", "calls"), "calls from Belgium, 1950-73; some years in another unit"),
    Summary("animals2", 65, ("body", "brain"), "body and brain weights; three dinosaurs apart"),
    Summary("faithful", 272, ("eruptions", "waiting"), "eruptions of Old Faithful; two components"),
    Summary("galaxies", 82, ("velocity",), "velocities of galaxies; three components or more"),
)


def summaries() -> tuple[Summary, ...]:
    """List the bundled sets: name, number of rows, columns and one line of description."""
    return _CATALOGUE


def names() -> tuple[str, ...]:
    """List the names of the bundled sets, each with its `load_<name>()`."""
    return tuple(summary.name for summary in _CATALOGUE)


def csv_text(name: str) -> str:
    """Read a bundled set as CSV text with a header row."""
    with _open(name) as file:
        return file.read()


def load_newcomb() -> Float64[np.ndarray, "66"]:
    """Load Newcomb's third series of passage times of light.

    Returns
    -------
    Deviations of 66 passage times over a fixed distance from 24,800 ns, in ns, in the order of Stigler's
    table.

    Notes
    -----
    Source: S. Newcomb (1882); Stigler (1977), "Do robust estimators work with real data?", Annals of
    Statistics 5, Table 5. The same numbers as MASS::newcomb.
    Licence: facts of the 19th century.
    Outliers: -44 (row 6) and -2 (row 10). All values are integers. The true value on this scale is 33.02.
    Reference, mean and standard deviation of a normal law: maximum likelihood 26.212, 10.664; without the two
    outliers 27.750, 5.044; Huber's proposal 2 27.415, 5.144; reweighted MCD 27.750, 5.331; minimum Hellinger
    distance 27.733, 5.385 (Gaussian kernel, bandwidth 1.961).
    """
    return _column("newcomb")


def load_stackloss() -> "pandas.DataFrame":
    """Load Brownlee's stack loss data: 21 days of a plant that oxidises ammonia to nitric acid.

    Returns
    -------
    `air_flow` (rate of operation), `water_temp` (of the cooling water), `acid_conc` (50 plus a tenth of it is
    the concentration of the circulating acid) and `stack_loss` (ten times the percentage of the ammonia that
    escapes), 21 rows.

    Notes
    -----
    Source: K. A. Brownlee (1965), Statistical Theory and Methodology in Science and Engineering, 2nd edition,
    Wiley; as in R's datasets and in statsmodels.
    Licence: public domain, according to statsmodels.
    Outliers: commonly rows 1, 3, 4 and 21.
    Reference, stack_loss on the other three, intercept first: least squares -39.920, .7156, 1.2953, -.1521;
    robustbase::lmrob -41.525, .9388, .5796, -.1129; Huber's M-estimator -41.0265, .8294, .9261, -.1278.
    """
    return _frame("stackloss")


def load_chem() -> Float64[np.ndarray, "24"]:
    """Load 24 determinations of copper in wholemeal flour.

    Returns
    -------
    Parts per million.

    Notes
    -----
    Source: Analytical Methods Committee (1989), "Robust statistics: how not to reject outliers", The Analyst
    114, 1693-1702. The same numbers as MASS::chem.
    Licence: facts.
    Outliers: 28.95 (row 17).
    Reference, mean and standard deviation of a normal law: maximum likelihood 4.280, 5.186; without the
    outlier 3.208, 0.672; Huber's proposal 2 3.2055, 0.6737; reweighted MCD 3.114, 0.659; minimum Hellinger
    distance 3.157, 0.670 (Gaussian kernel, bandwidth 0.329).
    """
    return _column("chem")


def load_vonbort() -> "pandas.DataFrame":
    """Load von Bortkiewicz's deaths by horse kick: 14 corps of the Prussian army, 1875 to 1894.

    Returns
    -------
    `deaths`, `year` and `corps` (G is the guard), 280 rows.

    Notes
    -----
    Source: L. von Bortkiewicz (1898), Das Gesetz der kleinen Zahlen; Andrews and Herzberg (1985), Data. The
    same numbers as vcd::VonBort.
    Licence: facts of the 19th century.
    Outliers: none; a control. Deaths 0 to 4 occur 144, 91, 32, 11 and 2 times.
    Reference, mean of a Poisson law: maximum likelihood 0.7000; minimum Hellinger distance 0.6935.
    """
    return _frame("vonbort")


def load_darwin() -> Float64[np.ndarray, "15"]:
    """Load Darwin's differences in height between cross- and self-fertilised plants, 15 pairs of maize.

    Returns
    -------
    Cross-fertilised minus self-fertilised, in eighths of an inch.

    Notes
    -----
    Source: C. Darwin (1876), The Effects of Cross and Self Fertilisation in the Vegetable Kingdom. The same
    numbers as boot::darwin.
    Licence: free ("unlimited distribution" in the package boot).
    Outliers: -67 (row 2) and -48 (row 15), not beyond doubt: estimates depend much on the method.
    Reference, mean and standard deviation of a normal law: maximum likelihood 20.933, 36.465; without the two
    33.000, 20.696; Huber's proposal 2 25.702, 30.385; reweighted MCD 29.500, 28.272.
    """
    return _column("darwin")


def load_stars_cyg() -> "pandas.DataFrame":
    """Load the Hertzsprung-Russell data of the star cluster CYG OB1.

    Returns
    -------
    `log_te` (logarithm of the effective surface temperature) and `log_light` (logarithm of the light
    intensity), 47 stars.

    Notes
    -----
    Source: C. Doom, in Rousseeuw and Leroy (1987), Robust Regression and Outlier Detection, Wiley. The same
    numbers as robustbase::starsCYG.
    Licence: facts (robustbase itself is GPL).
    Outliers: the giants, rows 11, 20, 30 and 34; 7 and 14 are flagged by the MCD too.
    Reference, means and correlation of a bivariate normal law: maximum likelihood 4.310, 5.012, -.2104;
    without the giants 4.3865, 4.9212, .6054; reweighted MCD 4.409, 4.949, .6548.
    """
    return _frame("stars_cyg")


def load_telephone() -> "pandas.DataFrame":
    """Load the yearly numbers of international telephone calls from Belgium, 1950 to 1973.

    Returns
    -------
    `year` (less 1900) and `calls` (in tens of millions), 24 rows.

    Notes
    -----
    Source: Belgian Statistical Survey, in Rousseeuw and Leroy (1987), Robust Regression and Outlier
    Detection, Wiley. The same numbers as robustbase::telef, a tenth of those of MASS::phones.
    Licence: facts (the packages themselves are GPL).
    Outliers: 1964 to 1969 (rows 15 to 20), commonly put down to another unit of recording.
    Reference, calls on year, intercept and slope: least squares -26.006, .50415; robustbase::lmrob -5.242,
    .11010; least trimmed squares -5.164, .10847.
    """
    return _frame("telephone")


def load_animals2() -> "pandas.DataFrame":
    """Load the average body and brain weights of 65 animals, by name.

    Returns
    -------
    `body` (kg) and `brain` (g), 65 rows; the index holds the animals, spelt as in the source. Take
    logarithms.

    Notes
    -----
    Source: Weisberg (1985), Applied Linear Regression, 2nd edition, Wiley; Rousseeuw and Leroy (1987), Robust
    Regression and Outlier Detection, Wiley. The same numbers as robustbase::Animals2.
    Licence: facts (robustbase itself is GPL).
    Outliers: the dinosaurs (Dipliodocus, Triceratops, Brachiosaurus; rows 6, 16 and 26).
    Reference, means and correlation of the natural logarithms: maximum likelihood 1.736, 3.198, .8753;
    without the dinosaurs 1.3375, 3.1402, .9596.
    """
    return _frame("animals2").set_index("animal")


def load_faithful() -> "pandas.DataFrame":
    """Load 272 eruptions of the geyser Old Faithful.

    Returns
    -------
    `eruptions` (duration) and `waiting` (until the next eruption), both in minutes, 272 rows.

    Notes
    -----
    Source: Azzalini and Bowman (1990), Applied Statistics 39; Haerdle (1991), Smoothing Techniques with
    Implementation in S, Springer. The same numbers as R's datasets::faithful.
    Licence: facts (R itself is GPL).
    Outliers: none; two components.
    Reference, maximum likelihood of two normal components, weights, means and standard deviations: waiting
    .3609, .6391; 54.6149, 80.0911; 5.8712, 5.8677; eruptions .3484, .6516; 2.0186, 4.2733; .2356, .4371.
    """
    return _frame("faithful")


def load_galaxies() -> Float64[np.ndarray, "82"]:
    """Load the velocities of 82 galaxies in the Corona Borealis region.

    Returns
    -------
    Kilometres a second, ascending.

    Notes
    -----
    Source: Postman, Huchra and Geller (1986), Astronomical Journal 92; Roeder (1990), Journal of the American
    Statistical Association 85. The same numbers as MASS::galaxies.
    Licence: facts (MASS itself is GPL).
    Outliers: none beyond doubt. Row 78 is a known misprint, 26690 for 26960, kept: published fits use it.
    Reference, maximum likelihood of three normal components in 1,000 km/s (an interior maximum, the
    likelihood being unbounded), weights, means and standard deviations: .0854, .8781, .0366; 9.710, 21.400,
    33.044; .4225, 2.1945, .9217.
    """
    return _column("galaxies")


def _column(name: str) -> Float64[np.ndarray, " n"]:
    with _open(name) as file:
        return np.loadtxt(file, skiprows=1)


def _frame(name: str) -> "pandas.DataFrame":
    import pandas

    with _open(name) as file:
        return pandas.read_csv(file)


def _open(name: str) -> IO[str]:
    return (files("hellgan") / "data" / f"{name}.csv").open(encoding="utf-8")
