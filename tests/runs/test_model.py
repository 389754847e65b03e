"""Models read back from model.npz: refused unless they are what was trained, and what they predict."""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import tiny
from helpers.run_folders import cifarmlp, write_model
from scipy.special import expit, softmax

from cifarmlp.errors import RunFolderError
from cifarmlp.runs.folder import Seed, load_run

softmax_rows = partial(softmax, axis=1)


def seed_of(folder: Path) -> Seed:
    (seed,) = load_run(folder).seeds
    return seed


def refused(folder: Path) -> str:
    """The one line, with exit code 4, that a model is refused with."""
    done = cifarmlp("evaluate", folder)
    assert (done.code, done.out) == (4, ""), done
    assert len(done.err.splitlines()) == 1
    assert not list(folder.glob("*.png"))
    return done.err


# Predictions


def test_predictions_are_those_of_the_documented_model(trained: Path) -> None:
    seed, pixels = seed_of(trained / "eps-001"), tiny.dataset().test.pixels
    model = seed.model()
    assert model["eps"] == np.float32(0.01)
    x = (pixels - model["pixel_mean"]) / model["pixel_std"]
    for n in (1, 2):
        x_hat = (x @ model[f"W{n}"] - model[f"mean{n}"]) / np.sqrt(model[f"var{n}"] + model["eps"])
        x = np.maximum(model[f"gamma{n}"] * x_hat + model[f"beta{n}"], 0)
    expected = softmax(x @ model["W3"] + model["b3"], axis=1)
    assert seed.predict(pixels) == pytest.approx(expected, abs=1e-4)


def test_a_model_from_before_it_had_eps_takes_that_of_its_config(run: Path) -> None:
    seed, pixels = seed_of(run), tiny.dataset().test.pixels
    expected, model = seed.predict(pixels), seed.model()
    write_model(run, {name: array for name, array in model.items() if name != "eps"})
    assert np.array_equal(seed.predict(pixels), expected)


def test_only_a_network_with_batch_norm_has_eps(trained: Path) -> None:
    assert "eps" not in seed_of(trained / "linear-001").model()
    assert list(seed_of(trained / "eps-001").model())[-1] == "eps"  # the arrays before it stay as they were


@pytest.mark.parametrize(
    ("loss", "view"),
    [("hinge", lambda z: z), ("binary_cross_entropy", expit), ("cross_entropy", softmax_rows)],
)
def test_predictions_go_by_the_loss_of_the_training(
    loss: str, view: Callable[[Any], Any], tmp_path: Path
) -> None:
    seed = seed_of(tiny.trained(tmp_path, "one", f"training.loss={loss}", "network.hidden=[]"))
    images, model = tiny.images(20, 3).pixels, seed.model()
    std = np.where(model["pixel_std"] > 0, model["pixel_std"], np.inf)
    logits = (images - model["pixel_mean"]) / std @ model["W1"] + model["b1"]
    np.testing.assert_allclose(seed.predict(images), view(logits), rtol=1e-3, atol=1e-4)


def test_images_are_rows_or_pictures(trained: Path) -> None:
    run, rows = load_run(trained / "linear-001"), tiny.dataset().test.pixels[:7]
    pictures = np.stack(
        [rows[:, start : start + 1024].reshape(7, 32, 32) for start in (0, 1024, 2048)], axis=3
    )
    assert np.array_equal(run.predict(pictures), run.predict(rows))
    assert np.array_equal(run.predict(rows), run.seeds[0].predict(rows))
    assert run.predict(rows[:0]).shape == (0, 10)


def test_a_network_that_diverged_predicts_nothing(trained: Path) -> None:
    predicted = load_run(trained / "lost-001").seeds[0].predict(tiny.dataset().test.pixels[:2])
    assert np.isnan(predicted).all()


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 3072)),
        np.zeros((2, 3072), np.int64),
        np.zeros(3072, np.uint8),
        np.zeros((2, 3071), np.uint8),
        np.zeros((2, 3, 32, 32), np.uint8),
        np.zeros((2, 3072), "U1"),
        np.array([None]),
        [[1, 2], [3]],
        None,
    ],
    ids=str,
)
def test_other_arrays_are_no_images(trained: Path, images: Any) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$"):
        seed_of(trained / "linear-001").predict(images)


def test_of_several_seeds_one_has_to_be_chosen(trained: Path) -> None:
    run = load_run(trained / "plain-001")
    for ask in (run.model, lambda: run.predict(tiny.dataset().test.pixels)):
        with pytest.raises(ValueError, match=r"3 seeds.*run\.seeds\[0\]"):
            ask()


# Models that are not what they should be


def flip(content: bytes) -> bytes:
    """Change one bit in the middle."""
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("model.npz", flip, "checksum"),
        ("result.json", lambda content: b"{", "result.json"),
        ("config.yaml", lambda text: text.replace(b"[8, 6]", b"[8, 7]"), "config.yaml has changed"),
    ],
    ids=["model", "result", "config"],
)
def test_what_was_changed_is_refused(
    run: Path, name: str, change: Callable[[bytes], bytes], message: str
) -> None:
    (run / name).write_bytes(change((run / name).read_bytes()))
    assert message in refused(run)
    with pytest.raises(RunFolderError, match=message):
        seed_of(run).predict(tiny.dataset().test.pixels)


def test_a_model_of_another_network_is_refused(run: Path) -> None:
    environment, config = run / "environment.json", run / "config.yaml"
    environment.unlink()  # which knows that the config has changed
    config.write_text(config.read_text().replace("[8, 6]", "[8, 7]"))
    assert "does not fit config.yaml" in refused(run)


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
@pytest.mark.parametrize("with_result", [True, False])
def test_a_truncated_model_is_refused(run: Path, share: float, with_result: bool) -> None:
    content = (run / "model.npz").read_bytes()
    (run / "model.npz").write_bytes(content[: int(share * len(content))])
    if not with_result:
        (run / "result.json").unlink()
    assert "model.npz" in refused(run)


def test_nothing_pickled_is_ever_loaded(run: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (run / "touched",))

    write_model(run, {**seed_of(run).model(), "W1": np.array([Evil()], dtype=object)})
    assert "damaged" in refused(run)
    assert not (run / "touched").exists()
    np.save(run / "model.npz.npy", np.array([Evil()], dtype=object), allow_pickle=True)
    (run / "model.npz.npy").replace(run / "model.npz")
    (run / "result.json").unlink()
    assert "damaged" in refused(run)
    assert not (run / "touched").exists()


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("W1", np.zeros((3072, 9), np.float32), "W1 is float32 (3072, 9), not float32 (3072, 8)"),
        ("b3", np.zeros(10), "b3 is float64 (10,)"),
        ("W9", np.zeros(10, np.float32), "W9 is float32 (10,), not there"),
        ("mean1", None, "mean1 is missing"),
        ("pixel_std", None, "pixel_std is missing"),
        ("W2", np.zeros((8, 6), "U3"), "W2"),
        ("eps", np.float32(0.5), "eps is 0.5, not 0.01"),
    ],
)
def test_a_model_of_another_shape_is_refused(run: Path, name: str, array: Any, message: str) -> None:
    arrays = {**seed_of(run).model(), name: array}
    write_model(run, {name: each for name, each in arrays.items() if each is not None})
    assert message in refused(run)


def test_a_model_far_larger_than_its_network_is_not_read(run: Path) -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **seed_of(run).model(), bomb=np.zeros(50_000_000, np.uint8))
    (run / "model.npz").write_bytes(buffer.getvalue())
    (run / "result.json").unlink()
    assert "damaged" in refused(run)


def test_what_is_no_training_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no such folder" in refused(tmp_path / "none")
    assert "not a run folder" in refused(tmp_path / "empty")
    assert "no such folder" in refused(run / "result.json")
    (run / "model.npz").unlink()
    assert "--resume" in refused(run)
    with pytest.raises(RunFolderError, match="cannot be read"):
        seed_of(run).model()
