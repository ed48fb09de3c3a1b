"""Bad arguments and damaged files at every front door: an answer that is right, or one sentence that says why not.

10,000 arguments and 2,000 files with HELLGAN_TEST_FULL=1, one in twenty in each run of the suite. Arguments are wrong
one at a time; what a door accepts is not judged here.
"""

import json
import shutil
import zipfile

import numpy as np
import pytest
from doors import VALUES, Door, complaint, many, mean, same
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import hellgan as hg
from hellgan import discriminators, generators, losses
from hellgan import montecarlo as mc

NEWCOMB = hg.datasets.load_newcomb()
NORMAL = generators.Normal()
TRUTH = hg.truth(NORMAL, loc=0.0, scale=1.0)


def study(**changes):
    return hg.Study(**{"truth": TRUTH, "methods": {"mean": mean}, "n": 20, "replications": 4, **changes})


def own(z, loc):
    return loc + z


@pytest.fixture(scope="module")
def doors(tmp_path_factory):
    finished = study()
    out = tmp_path_factory.mktemp("study")
    result = finished.run(out)
    of_study = {"truth": TRUTH, "methods": {"mean": mean}, "n": 20, "replications": 4}
    of_regression = same("noise", "columns", "intercept", "df")
    return {
        "Study": Door(
            hg.Study,
            of_study,
            same("truth", "methods", "n", "replications", "seed", "level", "contamination", "factors", "where"),
        ),
        "Study.run": Door(
            finished.run, {"out": out}, same("client", "threads", "share", "chunk", "max_errors", "repair")
        ),
        "Study.replay": Door(finished.replay, {"cell": {"n": 20}, "replicate": 0}, same("cell", "replicate", "method")),
        "Study.replications_for": Door(
            finished.replications_for, {"mcse": 0.01, "measure": "coverage"}, same("mcse", "measure", "pilot")
        ),
        "performance": Door(
            result.performance, {"measures": ["bias"]}, same("measures", "null", "reference", "methods")
        ),
        "to_frame": Door(result.to_frame, {}, same("methods")),
        "StudyResults.replications_for": Door(
            result.replications_for, {"mcse": 0.1, "measure": "bias"}, same("mcse", "measure")
        ),
        "read": Door(mc.read, {"folder": out}, {"folder": ("folder", "read", "out")}),
        "from_toml": Door(mc.from_toml, {"path": "a.toml"}, same("path")),
        "montecarlo.replications_for": Door(
            mc.replications_for, {"name": "coverage", "mcse": 0.01, "expected": 0.9}, same("mcse", "expected")
        ),
        "truth": Door(
            hg.truth,
            {"generator": NORMAL, "loc": 0.0, "scale": 1.0},
            {**same("loc", "scale", "estimands"), "generator": ("truth",)},
        ),
        "PointMass": Door(mc.PointMass, {"eps": 0.1, "at": 3.0}, same("eps", "at", "binomial")),
        "Cluster": Door(mc.Cluster, {"eps": 0.1, "loc": 3.0}, same("eps", "loc", "scale", "binomial")),
        "Spread": Door(mc.Spread, {"eps": 0.1, "low": 3.0, "high": 4.0}, same("eps", "low", "high", "binomial")),
        "HeavyTails": Door(mc.HeavyTails, {"eps": 0.1}, same("eps", "df", "loc", "scale", "binomial")),
        "Vertical": Door(mc.Vertical, {"eps": 0.1, "loc": 3.0}, same("eps", "loc", "scale", "binomial")),
        "Leverage": Door(mc.Leverage, {"eps": 0.1, "at": 3.0, "response": 1.0}, same("eps", "at", "response", "scale")),
        "Dependence": Door(mc.Dependence, {}, same("rho")),
        "MinCovDet": Door(mc.MinCovDet, {}, same("support_fraction", "model")),
        "Huber": Door(mc.Huber, {}, {"c": ("c:",), "model": ("model",)}),
        "DensityPower": Door(mc.DensityPower, {}, same("beta", "model")),
        "SimulatedMoments": Door(
            mc.SimulatedMoments, {}, same("moments", "degree", "weight", "n_simulated", "latent", "model")
        ),
        "MinimumHellinger": Door(mc.MinimumHellinger, {}, same("bandwidth", "model")),
        "load": Door(hg.load, {"path": "a.npz"}, {"path": ("path", "load")}),
        "GAN": Door(
            hg.GAN,
            {"data": NEWCOMB, "generator": NORMAL},
            same("data", "generator", "discriminator", "loss", "weights", "latent", "n_simulated", "seed"),
        ),
        "compare": Door(hg.compare, {"fits": {}}, {"fits": ("fits", "compare")}),
        "generator": Door(
            lambda **k: hg.generator(**k)(own),
            {"loc": hg.real()},
            same("latent", "latent_dim", "covariates", "jumps", "loc"),
        ),
        "decorated": Door(hg.generator(loc=hg.real()), {"function": own}, {"function": ("generator",)}),
        "fix": Door(NORMAL.fix, {}, same("loc", "scale")),
        "make": Door(generators.make, {"family": "normal"}, {"family": ("generator",)}),
        "StudentT": Door(generators.StudentT, {}, same("df")),
        "NormalMixture": Door(generators.NormalMixture, {}, {"k": ("k:",)}),
        "MultivariateNormal": Door(generators.MultivariateNormal, {}, {"d": ("d:",)}),
        "MultivariateStudentT": Door(generators.MultivariateStudentT, {"d": 2}, {"d": ("d:",), "df": ("df",)}),
        "LinearRegression": Door(generators.LinearRegression, {}, of_regression),
        "AlphaStable": Door(generators.AlphaStable, {}, same("parameterization")),
        "real": Door(hg.real, {}, same("shape", "start")),
        "positive": Door(hg.positive, {}, same("shape", "start")),
        "interval": Door(
            hg.interval,
            {"lower": 0.0, "upper": 1.0},
            {"lower": ("interval",), "upper": ("interval",), **same("shape", "start")},
        ),
        "simplex": Door(hg.simplex, {"k": 3}, {"k": ("simplex: k is",), "start": ("start",)}),
        "Sigmoids": Door(discriminators.Sigmoids, {}, {"k": ("k:",), "ridge": ("ridge",)}),
        "Splines": Door(discriminators.Splines, {}, {"k": ("k:",), **same("degree", "ridge")}),
        "GaussianBumps": Door(discriminators.GaussianBumps, {}, {"k": ("k:",), "ridge": ("ridge",)}),
        "RandomFeatures": Door(discriminators.RandomFeatures, {}, {"k": ("k:",), **same("seed", "ridge")}),
        "Polynomial": Door(discriminators.Polynomial, {}, same("degree", "ridge")),
        "RedescendingMoments": Door(discriminators.RedescendingMoments, {}, same("directions", "ridge")),
        "ResidualSigmoids": Door(
            discriminators.ResidualSigmoids, {}, {"k": ("k:",), "products": ("products",), "ridge": ("ridge",)}
        ),
        "Scores": Door(discriminators.Scores, {"generator": NORMAL}, same("generator", "ridge")),
        "MLP": Door(discriminators.MLP, {}, same("widths", "ridge")),
        "Features": Door(discriminators.Features, {"function": lambda x: x}, same("function", "ridge")),
        "Loss": Door(hg.Loss, {"real": losses.get("root").real}, same("real", "fake", "generator")),
        "losses.get": Door(losses.get, {}, same("loss")),
        "losses.alpha": Door(losses.alpha, {}, {"a": ("a:",)}),
    }


def test_bad_arguments(doors, tmp_path, monkeypatch, unchecked):
    monkeypatch.chdir(tmp_path)
    names = [(name, argument) for name, door in doors.items() for argument in door.tried]

    @many(10_000, 475)
    @given(st.sampled_from(names), VALUES)
    def tried(name, value):
        door = doors[name[0]]
        said = complaint(door, name[1], value)
        assert said is None, f"{name[0]}: {said}"

    tried()


# Files.


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A saved fit, and what it says."""
    path = tmp_path_factory.mktemp("fit") / "fit.npz"
    hg.GAN(NEWCOMB, NORMAL).fit().save(path)
    return path, numbers_of(path)


def numbers_of(path):
    fit = hg.load(path)
    return fit.params.to_numpy(), fit.cov_params().to_numpy(), fit.saddle.value, fit.converged, fit.model.x


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A study's folder, and its frame."""
    folder = tmp_path_factory.mktemp("stored") / "out"
    study(n=[20, 30]).run(folder, chunk=2)
    return folder, frame_of(folder)


def frame_of(folder):
    result = mc.read(folder)
    table = result.performance(["bias"])
    return result.to_frame().drop(columns="seconds").to_csv(), table.to_csv(), result.level, str(result.progress())


def damaged(content: bytes, data) -> bytes:
    """Damage bytes: flipped, cut, doubled, moved or overwritten."""
    kind = data.draw(st.sampled_from(["flip", "cut", "drop", "double", "overwrite", "insert", "empty"]))
    at = data.draw(st.integers(0, len(content) - 1))
    length = data.draw(st.integers(1, 64))
    if kind == "flip":
        return content[:at] + bytes([content[at] ^ (1 << data.draw(st.integers(0, 7)))]) + content[at + 1 :]
    made = data.draw(st.binary(min_size=length, max_size=length))
    return {
        "cut": content[:at],
        "drop": content[:at] + content[at + length :],
        "double": content[: at + length] + content[at:],
        "overwrite": content[:at] + made + content[at + length :],
        "insert": content[:at] + made + content[at:],
        "empty": b"",
    }[kind]


def judged(read, path, right):
    """Refused in a sentence that names the file, or read as it was."""
    try:
        found = read(path)
    except (ValueError, OSError) as error:
        said = str(error)
        assert str(path) in said, said
        assert "\n" not in said, said
        return False
    np.testing.assert_equal(found, right)
    return True


def test_damaged_fits(saved, tmp_path):
    content, right, path = saved[0].read_bytes(), saved[1], tmp_path / "bad.npz"

    @many(800, 10)
    @given(st.data())
    def tried(data):
        path.write_bytes(damaged(content, data))
        judged(numbers_of, path, right)

    tried()


def test_fits_with_other_members(saved, tmp_path):
    """One fact or array is another, with the right checksums; or there is one more."""
    right, path = saved[1], tmp_path / "bad.npz"
    with np.load(saved[0]) as file:
        arrays = {name: file[name] for name in file.files}
    facts = json.loads(str(arrays.pop("facts")))
    told = [name for name in facts if name not in ("seed", "n_simulated", "trouble", "latent", "loss", "reweight")]
    texts = st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
        max_leaves=5,
    )
    others = hnp.arrays(
        st.one_of(hnp.integer_dtypes(), hnp.complex_number_dtypes(), hnp.unicode_string_dtypes()),
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
    )

    @many(400, 5)
    @given(st.data())
    def tried(data):
        now, known = dict(arrays), dict(facts)
        kind = data.draw(st.sampled_from(["fact", "array", "without", "more"]))
        if kind == "fact":
            known[data.draw(st.sampled_from(told))] = data.draw(texts)
        elif kind == "array":
            now[data.draw(st.sampled_from(sorted(arrays)))] = data.draw(others)
        elif kind == "without":
            del now[data.draw(st.sampled_from(sorted(arrays)))]
        else:
            now[f"more.{data.draw(st.text('abc', max_size=4))}"] = data.draw(others)
        np.savez(path, **{**now, "facts": np.array(json.dumps(known))})
        assert judged(numbers_of, path, right) or kind != "more"

    tried()


def test_members_that_no_fit_has_are_never_read(saved, tmp_path):
    """Not even one that is larger, unpacked, than any memory; and a known one that is compressed is refused."""
    path = tmp_path / "bomb.npz"
    zeros = bytes(10**6)
    shutil.copy(saved[0], path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as file, file.open("bomb.npy", "w") as member:
        for _ in range(100):
            member.write(zeros)
    np.testing.assert_equal(numbers_of(path), saved[1])
    with zipfile.ZipFile(saved[0]) as file, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in file.namelist():
            packed.writestr(name, file.read(name))
    with pytest.raises(ValueError, match=r"load: .*bomb\.npz is damaged.*is compressed"):
        hg.load(path)


def test_damaged_folders(stored, tmp_path):
    folder, right = stored
    copy = shutil.copytree(folder, tmp_path / "out")
    files = sorted(p.relative_to(folder) for p in folder.rglob("*") if p.suffix in (".parquet", ".json"))

    @many(800, 10)
    @given(st.data())
    def tried(data):
        name = data.draw(st.sampled_from(files))
        content = (folder / name).read_bytes()
        (copy / name).write_bytes(damaged(content, data))
        try:
            judged(frame_of, copy, right)
        finally:
            (copy / name).write_bytes(content)

    tried()
