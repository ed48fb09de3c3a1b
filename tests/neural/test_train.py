"""``train``: batches of models, schedules, resuming, devices, what is noticed and what is refused."""

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import hellgan as hg
from hellgan.cautions import TrainingWarning
from hellgan.neural import diagnosis

ROOT = Path(__file__).parents[2]


def flat(run):
    """All that training left, as one vector."""
    return np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(run._state)])


def trained(data, nets, steps, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TrainingWarning)  # of networks that are hardly trained
        return hg.neural.train(data, *nets, steps=steps, batch=16, rate=1e-3, progress=False, **options)


@pytest.fixture(scope="module")
def whole(plane, nets):
    return trained(plane, nets, 40, loss="root", every=5)


class TestRun:
    def test_same_seed_same_bits(self, whole, plane, nets):
        again = trained(plane, nets, 40, loss="root", every=7)  # however often it is recorded
        assert np.array_equal(flat(whole), flat(again))
        assert np.array_equal(whole.sample(10, seed=3), again.sample(10, seed=3))
        assert not np.array_equal(whole.sample(10, seed=3), whole.sample(10, seed=4))
        assert not np.array_equal(flat(whole), flat(trained(plane, nets, 40, loss="root", seed=1)))

    def test_history(self, whole):
        assert list(whole.history["step"]) == list(range(5, 41, 5))
        assert set(whole.history["loss"]) == {"root"}
        assert whole.history[["accuracy_real", "accuracy_simulated"]].stack().between(0, 1).all()
        # Near the value at equality, sqrt 2, so early; never above 2.
        assert whole.history["value"].between(1.2, 2).all()

    def test_shapes(self, whole, plane):
        assert whole.sample(7).shape == (7, 2)
        assert whole.log_ratio(plane[:5]).shape == (5,)
        v = [float(whole.discriminator(jnp.asarray(x, jnp.float32))) for x in plane[:5]]
        assert np.allclose(whole.log_ratio(plane[:5]), v, atol=1e-5)
        assert whole.generator(jnp.zeros(2)).shape == (2,)
        assert [w.tolist() for w in whole.weights] == [[1.0], [1.0]]
        assert whole.payoff(64).shape == (1, 1)

    def test_a_sample_is_the_generators(self, whole):
        """By hand: the latents of ``sample`` are NumPy's normal numbers of the seed, through the module."""
        z = np.random.default_rng((3, 5)).standard_normal((4, 2), np.float32)
        by_hand = np.stack([whole.generator(jnp.asarray(one)) for one in z])
        assert np.allclose(whole.sample(4, seed=3), by_hand, atol=1e-5)

    @pytest.mark.parametrize("name", ["cov_params", "conf_int", "bse", "summary", "t_test"])
    def test_what_a_network_cannot_answer(self, whole, name):
        with pytest.raises(AttributeError, match=f"{name}: a trained network has no {name}: .* hg.neural.bootstrap"):
            getattr(whole, name)
        with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
            whole.nonsense  # noqa: B018

    def test_figures(self, whole):
        ax = whole.plot()
        assert len(ax.lines) == 2
        assert ax.lines[0].get_xdata().size == 200
        axes = whole.plot_history()
        assert np.array_equal(axes[1].lines[0].get_ydata(), whole.history["value"])
        hg.plots.close(ax)
        hg.plots.close(axes[0])


class TestSideBySide:
    def test_a_batch_of_models_is_its_models(self, whole, plane, nets):
        run = trained(plane, nets, 40, loss=["log", "root", {0: "root", 20: "hinge"}], seed=[5, 0], every=5)
        assert len(run) == 6
        assert list(run.models["loss"]) == ["log"] * 2 + ["root"] * 2 + ["root, hinge from 20"] * 2
        assert np.allclose(flat(run[3]), flat(whole), rtol=1e-3, atol=1e-5)
        assert np.allclose(run[3].sample(9), whole.sample(9), rtol=1e-3, atol=1e-4)
        # Seeds and losses make models that differ, and a schedule is its first loss up to its second.
        assert not np.allclose(flat(run[2]), flat(run[3]), atol=1e-3)
        assert not np.allclose(flat(run[1]), flat(run[3]), atol=1e-4)
        halves = [run.history.query(f"model == {k}").set_index("step")["value"] for k in (3, 5)]
        assert np.allclose(halves[0].loc[:20], halves[1].loc[:20], rtol=1e-4)
        assert halves[1].loc[25:].max() < 0.5  # a hinge's value is at most 0, the root's near 1.4
        assert halves[0].loc[25:].min() > 1.2

    def test_one_model_is_asked(self, plane, nets):
        run = trained(plane, nets, 4, loss=["log", "root"])
        with pytest.raises(ValueError, match="this run holds 2 models; take one of them, as run"):
            run.sample(3)
        with pytest.raises(IndexError, match="model 2 of a run with 2"):
            run[2]


class TestResuming:
    def test_after_an_end(self, whole, plane, nets, tmp_path):
        first = trained(plane, nets, 15, loss="root", every=5, out=tmp_path / "run", checkpoint_every=0)
        assert [path.name for path in first.checkpoints] == [
            "checkpoint-000000000010.npz",
            "checkpoint-000000000015.npz",
        ]
        second = trained(plane, nets, 40, loss="root", every=5, out=tmp_path / "run")
        assert np.array_equal(flat(second), flat(whole))
        assert second.history.equals(whole.history)

    def test_a_finished_run_is_read(self, whole, plane, nets, tmp_path, monkeypatch):
        trained(plane, nets, 40, loss="root", every=5, out=tmp_path)
        monkeypatch.setattr("hellgan.neural.training.advanced", None)  # nothing is trained
        assert np.array_equal(flat(trained(plane, nets, 40, loss="root", every=5, out=tmp_path)), flat(whole))

    def test_a_torn_file_is_passed_over(self, whole, plane, nets, tmp_path):
        first = trained(plane, nets, 15, loss="root", every=5, out=tmp_path, checkpoint_every=0)
        newest = first.checkpoints[-1]
        newest.write_bytes(newest.read_bytes()[:500])
        assert np.array_equal(flat(trained(plane, nets, 40, loss="root", every=5, out=tmp_path)), flat(whole))

    def test_another_run_is_refused(self, plane, nets, tmp_path):
        trained(plane, nets, 10, loss="root", out=tmp_path)
        for changed, match in (
            ({"loss": "log"}, 'another loss .*"log".*; give another folder, or resume=False'),
            ({"seed": 1}, "another seed"),
            ({"spectral_norm": True}, "another shapes of the arrays|another spectral_norm"),
        ):
            with pytest.raises(ValueError, match=match):
                trained(plane, nets, 10, out=tmp_path, **{"loss": "root", **changed})
        with pytest.raises(ValueError, match="another data"):
            trained(plane + 1, nets, 10, loss="root", out=tmp_path)
        with pytest.raises(ValueError, match=r"steps: got 5, and .* holds a run of 10; give at least as many"):
            trained(plane, nets, 5, loss="root", out=tmp_path)
        anew = trained(plane, nets, 5, loss="log", out=tmp_path, resume=False)
        assert [path.name for path in anew.checkpoints] == ["checkpoint-000000000005.npz"]

    def test_a_folder_of_something_else(self, plane, nets, tmp_path):
        (tmp_path / "thesis.tex").write_text("x")
        with pytest.raises(ValueError, match=r"holds other files; give a new folder"):
            trained(plane, nets, 5, out=tmp_path)

    @pytest.mark.slow
    def test_after_a_kill(self, plane, nets, tmp_path):
        """A process is killed at a random step; what goes on from its checkpoints ends at the same bits."""
        np.save(tmp_path / "x.npy", plane)
        out = tmp_path / "run"
        program = (
            "import sys, numpy as np, hellgan as hg\n"
            "nets = hg.neural.MLPGenerator((8,), latent_dim=2), hg.neural.MLPDiscriminator((8,))\n"
            "hg.neural.train(np.load(sys.argv[1]), *nets, loss='root', steps=10**6, batch=16, rate=1e-3, every=5,"
            " out=sys.argv[2], checkpoint_every=0, progress=False)"
        )
        child = subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "x.npy"), str(out)],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        end = time.monotonic() + 120
        while not list(out.glob("checkpoint-*.npz")) and time.monotonic() < end:
            assert child.poll() is None, "the process ended by itself"
            time.sleep(0.02)
        time.sleep(np.random.default_rng().uniform(0.05, 0.5))
        child.send_signal(signal.SIGKILL)
        assert child.wait(30) == -signal.SIGKILL
        reached = max(int(path.stem.split("-")[1]) for path in out.glob("checkpoint-*.npz"))
        assert 0 < reached < 10**6
        steps = reached + 13
        resumed = trained(plane, nets, steps, loss="root", every=5, out=out)
        assert np.array_equal(flat(resumed), flat(trained(plane, nets, steps, loss="root", every=5)))


@pytest.mark.slow
def test_devices_share_a_batch():
    """On four virtual devices: the same to rounding as on one, gradients summed over them; in a process of its own."""
    program = """
import numpy as np, jax, hellgan as hg
from hellgan.neural.loop import advanced
from hellgan.neural.settings import Settings
from hellgan.neural.setup import labels_of, set_up
assert len(jax.devices()) == 4
images = np.random.default_rng(0).uniform(size=(64, 8, 8)).astype("f")
nets = hg.neural.ConvGenerator(4, latent_dim=3), hg.neural.MLPDiscriminator((8,))
ends = []
for devices in (None, 1):
    setup, state = set_up(images, *nets, labels_of("root", 0), Settings(steps=6, batch=16, noise=.1, devices=devices))
    given = (setup.plan, setup.networks, setup.material, setup.models, state, np.int32(0), np.int32(6))
    program = advanced.lower(*given).compile()
    end, _ = program(*given)
    ends.append(np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(end)]))
    print(program.compiled.as_text().count("all-reduce"))
print(np.abs(ends[0] - ends[1]).max(), np.abs(ends[0]).max())
"""
    flags = "--xla_force_host_platform_device_count=4"
    environment = {**os.environ, "XLA_FLAGS": flags, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    several, one, pair = done.stdout.strip().splitlines()
    assert int(several) > 0  # gradients are summed over the devices
    assert int(one) == 0
    off, size = map(float, pair.split())
    assert off < 1e-4 < size


class Shift(eqx.Module):
    """A user's own generator: z plus a trained number, times a constant."""

    shift: jax.Array
    factor: np.ndarray

    def __call__(self, z):
        return self.factor * (z + self.shift)


class TestModulesOfTheUsers:
    def test_constants_are_not_trained(self, plane):
        module = Shift(jnp.zeros(2), np.full(2, 3.0, np.float32))
        run = trained(plane + 9, (module, hg.neural.MLPDiscriminator((8,))), 40, latent_dim=2)
        assert np.array_equal(run.generator.factor, [3, 3])
        assert np.all(np.abs(np.asarray(run.generator.shift)) > 0.01)

    def test_functions_of_a_key(self, plane):
        def generator(key):
            return Shift(jax.random.normal(key, (2,)), np.ones(2, np.float32))

        def discriminator(key):
            return eqx.nn.MLP(2, "scalar", 4, 1, key=key)

        run = trained(plane, (generator, discriminator), 3, latent_dim=2, mixture=hg.neural.Mixture(2, 3))
        shifts = [np.asarray(module.shift) for module in run.generators()]
        assert not np.allclose(shifts[0], shifts[1], atol=0.05)
        assert run.log_ratio(plane).shape == (200, 3)
        assert run.payoff(100).shape == (2, 3)


class TestTrouble:
    def test_numbers_that_are_not_finite(self, plane, nets):
        with pytest.warns(TrainingWarning, match="no longer finite by step .*; give a lower rate"):
            run = hg.neural.train(
                plane, *nets, loss="lsgan", steps=400, batch=16, every=20, optimizer=optax.sgd(1e4), progress=False
            )
        assert run.steps < 400

    def test_collapse(self):
        rng = np.random.default_rng(0)
        data = rng.normal(size=(300, 3))
        assert diagnosis.near_duplicates(np.zeros((50, 3)), data) == 1
        assert 0.003 < diagnosis.near_duplicates(rng.normal(size=(300, 3)), data) < 0.03
        assert diagnosis.near_duplicates(1e-3 * rng.normal(size=(300, 3)), data) == 1
        names = ("step", "value", "generator_loss", "accuracy_real", "accuracy_simulated")
        fine = np.tile([10.0, 1.0, 1.0, 0.7, 0.6], (30, 1))
        assert diagnosis.troubles(fine, 0.01, names) == []
        assert "collapsed" in diagnosis.troubles(fine, 0.5, names)[0]
        stuck = fine.copy()
        stuck[-12:, 3:] = 1.0
        assert "told all observations apart" in diagnosis.troubles(stuck, 0.01, names)[0]
        stuck[-5, 3] = 0.9
        assert diagnosis.troubles(stuck, 0.01, names) == []


BAD: dict[str, dict] = {
    "data: not numeric": {"data": ["a", "b"]},
    "data: shape (1,); give at least two": {"data": [1.0]},
    "data: some are NaN or infinite": {"data": [1.0, np.nan, 2.0]},
    "data: all are one value": {"data": [1.0, 1.0]},
    "steps: got 0; give an integer of at least 1": {"steps": 0},
    "batch: got 0; give an integer": {"batch": 0},
    "loss: 'nonsense' is not known; give one of": {"loss": "nonsense"},
    "does not begin at step 0": {"loss": {5: "log"}},
    "loss: an empty list": {"loss": []},
    "seed: got [1, 1]; give a non-negative integer, or several that differ": {"seed": [1, 1]},
    "seed: got -1; give a non-negative integer": {"seed": -1},
    "updates: got 'fancy'; give one of alternating, simultaneous": {"updates": "fancy"},
    "discriminator_steps: got 2 with simultaneous updates": {"updates": "simultaneous", "discriminator_steps": 2},
    "rate: got 0; give a positive number, or a pair": {"rate": 0},
    "optimizer: got 'adam'; give an optax optimiser, or a pair": {"optimizer": "adam"},
    "average: got 1.0; give a number between 0 and 1": {"average": 1.0},
    "r1: got -1; give a finite number of at least 0": {"r1": -1},
    "noise_until: got 2; give a share": {"noise": 1.0, "noise_until": 2},
    "latent: got 'cauchy'; give 'normal' or 'uniform'": {"latent": "cauchy"},
    "mixture: got 3; give hg.neural.Mixture": {"mixture": 3},
    "devices: got 99; JAX sees": {"devices": 99},
    "generator: got 3; give hg.neural.MLPGenerator()": {"generator": 3},
    "hg.generators, an equinox module, or a function": {"generator": eqx.nn.MLP},
    "latent_dim: the generator has no attribute latent_dim": {"generator": Shift(jnp.zeros(2), np.ones(2, np.float32))},
    "one module cannot start 3 members": {
        "generator": Shift(jnp.zeros(2), np.ones(2, np.float32)), "latent_dim": 2, "mixture": hg.neural.Mixture(),
    },
    "it makes observations of shape (3,), the data's have (2,)": {
        "generator": Shift(jnp.zeros(3), np.ones(3, np.float32)), "latent_dim": 3,
    },
    "discriminator: it gives shape (3,) for one observation": {
        "discriminator": lambda key: eqx.nn.Linear(2, 3, key=key),
    },
    "(normal noise) has covariates, for which there is no minibatch": {
        "generator": hg.generators.LinearRegression(columns=["a"]),
    },
    "observations of 2 coordinates; Normal draws 1": {"generator": hg.generators.Normal()},
    "generator: called with a key it gives 3": {"generator": lambda key: 3},
}  # fmt: skip


@pytest.mark.parametrize("match", BAD)
def test_bad_arguments(plane, nets, match):
    given = {"data": plane, "generator": nets[0], "discriminator": nets[1], "steps": 3, "progress": False} | BAD[match]
    with pytest.raises((ValueError, TypeError)) as caught:
        hg.neural.train(given.pop("data"), given.pop("generator"), given.pop("discriminator"), **given)
    assert match in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_optax(plane, nets, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "optax" else found(name, *a))
    with pytest.raises(ImportError, match=r'pip install "hellgan\[neural\]"'):
        hg.neural.train(plane, *nets, steps=3)
