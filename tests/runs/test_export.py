"""Models in other formats: they give what `predict` gives, and are written whole, in a free place."""

import re
import runpy
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from helpers import tiny
from helpers.command import Done
from helpers.run_folders import cifarmlp, write_model

import cifarmlp as cifarmlp_package
from cifarmlp.runs import onnx_model, torch_model
from cifarmlp.runs.folder import load_run
from cifarmlp.training import build

PIXELS = tiny.dataset().test.pixels
QUICK = "training.steps=5"
NETWORKS = {
    "batch norm before relu": (),
    "batch norm after elu": ("network.batch_norm={position: after}", "network.activation={elu: 0.5}"),
    "leaky relu": ("network.batch_norm=false", "network.activation={leaky_relu: 0.1}"),
    "gelu": ("network.activation=gelu",),
    "tanh and hinge": ("network.activation=tanh", "training.loss=hinge"),
    "sigmoid and a sigmoid a class": ("network.activation=sigmoid", "training.loss=binary_cross_entropy"),
    "dropout": ("network.dropout={input: 0.2, hidden: 0.5}", "network.batch_norm={eps: 0.01, momentum: 0.8}"),
    "linear, raw pixels": ("network.hidden=[]", "data.scaling=none"),
}


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of a few steps with one of the networks."""
    return tiny.trained(tmp_path_factory.mktemp("runs"), "net", QUICK, *NETWORKS[request.param])


def export(run: Path, form: str, *words: object) -> Done:
    return cifarmlp("export", run, "--to", form, *words)


def onnx_outputs(path: Path, pixels: Any) -> dict[str, Any]:
    """Outputs by name of the ONNX file at `path`."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"images": pixels.reshape(-1, 3, 32, 32)})
    return dict(zip([output.name for output in session.get_outputs()], outputs, strict=True))


def torch_outputs(module: Path, pixels: Any) -> Any:
    """Outputs of the PyTorch module at `module`."""
    torch = pytest.importorskip("torch")
    model = runpy.run_path(str(module))["load"]()
    with torch.no_grad():
        return model(torch.from_numpy(pixels.reshape(-1, 3, 32, 32))).numpy()


def predicted(run: Path) -> Any:
    return load_run(run).predict(PIXELS)


# Equal to `predict`


def test_onnx_gives_what_predict_gives(network: Path, tmp_path: Path) -> None:
    assert export(network, "onnx", "--out", tmp_path / "net.onnx").out == f"{tmp_path / 'net.onnx'}\n"
    is_hinge = load_run(network).config.training.loss.kind == "hinge"
    ((name, outputs),) = onnx_outputs(tmp_path / "net.onnx", PIXELS).items()
    assert name == ("scores" if is_hinge else "probabilities")
    np.testing.assert_allclose(outputs, predicted(network), rtol=1e-5, atol=1e-5)
    for n in (0, 1):
        assert onnx_outputs(tmp_path / "net.onnx", PIXELS[:n])[name].shape == (n, 10)


def test_torch_gives_what_predict_gives(network: Path, tmp_path: Path) -> None:
    export(network, "torch", "--out", tmp_path / "net.py")
    np.testing.assert_allclose(
        torch_outputs(tmp_path / "net.py", PIXELS), predicted(network), rtol=1e-4, atol=1e-5
    )


def test_a_unit_and_a_pixel_that_never_varied_say_nothing(run: Path, tmp_path: Path) -> None:
    model = load_run(run).model()
    model["mean1"][2], model["var1"][2] = 1000, 1e-7  # the variance is rounding errors of such a mean
    model["beta1"][2], model["pixel_std"][:9] = 3, 0
    write_model(run, model)
    for form in ("onnx", "torch"):
        assert export(run, form, "--out", tmp_path).code == 0
    (outputs,) = onnx_outputs(tmp_path / "eps-001.onnx", PIXELS).values()
    np.testing.assert_allclose(outputs, predicted(run), rtol=1e-5, atol=1e-5)
    outputs = torch_outputs(tmp_path / "eps_001.py", PIXELS)
    np.testing.assert_allclose(outputs, predicted(run), rtol=1e-4, atol=1e-5)


def test_safetensors_are_a_state_dict_in_the_layouts_of_pytorch(network: Path, tmp_path: Path) -> None:
    numpy_format = pytest.importorskip("safetensors.numpy")
    export(network, "safetensors", "--out", tmp_path / "net.safetensors")
    state, model = numpy_format.load_file(tmp_path / "net.safetensors"), load_run(network).model()
    linear = [array for array in state.values() if array.ndim == 2]
    assert [array.shape for array in linear] == [model[f"W{n}"].T.shape for n in range(1, len(linear) + 1)]
    assert all(np.array_equal(array, model[f"W{n}"].T) for n, array in enumerate(linear, 1))
    assert {array.dtype for array in state.values()} == {np.dtype(np.float32)}


@pytest.mark.parametrize(("form", "suffixes"), [("onnx", [".onnx"]), ("torch", [".py", ".safetensors"])])
def test_the_same_model_gives_the_same_bytes(
    form: str, suffixes: list[str], trained: Path, tmp_path: Path
) -> None:
    files = [tmp_path / f"{name}{suffixes[0]}" for name in "ab"]
    for path in files:
        assert export(trained / "eps-001", form, "--out", path).code == 0
    for suffix in suffixes:
        one, other = (path.with_suffix(suffix).read_bytes() for path in files)
        assert one == other


def test_every_activation_and_loss_can_be_exported() -> None:
    kinds = {*build.ACTIVATIONS.values()}
    assert kinds <= {*onnx_model.NODES}
    assert kinds <= {*torch_model.LINES}
    assert {*build.LOSSES} == {*onnx_model.LAST} == {*torch_model.VIEWS}


def test_ten_lines_of_numpy_in_the_documents_give_what_predict_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(cifarmlp_package.__file__).parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    (lines,) = (block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "np.load(" in block)
    run = tiny.trained(tmp_path / "runs", "quickstart", "network.batch_norm={eps: 0.01}")
    np.save(tmp_path / "images.npy", PIXELS.reshape(-1, 3, 32, 32))
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(lines, found)
    assert len([line for line in lines.splitlines() if line and not line.startswith("import")]) == 10
    np.testing.assert_allclose(found["probabilities"], predicted(run), rtol=1e-4, atol=1e-5)


# Names and places


def test_files_go_here_and_are_named_after_run_seed_and_snapshot(
    trained: Path, measured: Path, tmp_path: Path
) -> None:
    (tmp_path / "runs").symlink_to(trained)
    snapshot = min(measured.glob("kept-001/snapshot-*.npz"))
    for run, words, names in (
        ("eps-001", ["onnx"], ["eps-001.onnx"]),
        ("plain-001", ["safetensors", "--seed", 2], ["plain-001-seed-2.safetensors"]),
        (snapshot, ["onnx"], [f"kept-001-{snapshot.stem}.onnx"]),
        (
            trained / "plain-001" / "seed-3",
            ["torch"],
            ["plain_001_seed_3.py", "plain_001_seed_3.safetensors"],
        ),
    ):
        done = cifarmlp("export", run, "--to", *words, cwd=tmp_path)
        assert done.out.splitlines() == names, done.err
        assert all((tmp_path / name).stat().st_size for name in names)


def test_a_module_has_a_name_that_python_can_import(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained / "eps-001", tmp_path / "3 layers")
    done = export(tmp_path / "3 layers", "torch", "--out", tmp_path)
    assert Path(done.out.splitlines()[0]).name == "model_3_layers.py"
    for name in ("my-model.py", "class.py", "torch.py"):
        assert "such as eps_001.py" in refused(trained / "eps-001", "torch", "--out", tmp_path / name)


def test_what_is_there_is_replaced_with_force_only(trained: Path, tmp_path: Path) -> None:
    taken = tmp_path / "eps_001.safetensors"
    taken.write_text("mine")
    assert "eps_001.safetensors: exists already" in refused(trained / "eps-001", "torch", "--out", tmp_path)
    assert taken.read_text() == "mine"
    assert not (tmp_path / "eps_001.py").exists()
    assert export(trained / "eps-001", "torch", "--out", tmp_path, "--force").code == 0
    assert taken.stat().st_size > 1000


def test_json_says_what_comes_out(trained: Path, tmp_path: Path) -> None:
    about = export(trained / "eps-001", "onnx", "--out", tmp_path, "--json").json
    assert about == {
        "run": str(trained / "eps-001"),
        "seed": 1,
        "outputs": "probabilities",
        "format": "onnx",
        "files": [str(tmp_path / "eps-001.onnx")],
    }


# Refusals


def refused(run: Path, form: str, *words: object, code: int = 2) -> str:
    """The one line that an export is refused with."""
    done = export(run, form, *words)
    assert (done.code, done.out, len(done.err.splitlines())) == (code, "", 1), done
    return done.err


def test_of_several_seeds_one_has_to_be_named(trained: Path, tmp_path: Path) -> None:
    assert "has seeds 1, 2, 3; choose one with --seed" in refused(trained / "plain-001", "onnx")
    assert "has no seed 9" in refused(trained / "plain-001", "onnx", "--seed", 9)


def test_what_is_no_model_is_refused(run: Path, trained: Path, tmp_path: Path) -> None:
    assert "diverged" in refused(trained / "lost-001" / "seed-1", "onnx", "--out", tmp_path)
    assert "no such folder" in refused(tmp_path / "none", "onnx", code=4)
    (run / "model.npz").write_bytes(b"PK")
    assert "checksum" in refused(run, "onnx", "--out", tmp_path, code=4)
    (run / "model.npz").unlink()
    assert "has no model.npz" in refused(run, "onnx", "--out", tmp_path, code=4)
    (tmp_path / "search").mkdir()
    (tmp_path / "search" / "search.json").touch()
    assert "the folder of a search" in refused(tmp_path / "search", "onnx")
    assert not list(tmp_path.glob("*.onnx"))


def test_a_file_that_cannot_be_written_leaves_nothing(trained: Path, tmp_path: Path) -> None:
    assert "ends in .onnx" in refused(trained / "eps-001", "onnx", "--out", tmp_path / "model.pt")
    assert "cannot be written" in refused(
        trained / "eps-001", "onnx", "--out", tmp_path / "none" / "a.onnx", code=4
    )
    with mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")):
        assert "No space left" in refused(trained / "eps-001", "torch", "--out", tmp_path, code=4)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("form", "library"), [("onnx", "onnx"), ("torch", "safetensors")])
def test_a_missing_library_gives_the_command_that_installs_it(
    form: str, library: str, trained: Path, tmp_path: Path
) -> None:
    with mock.patch.dict("sys.modules", {library: None}):
        line = refused(trained / "eps-001", form, "--out", tmp_path)
    assert line == f"error: --to {form} needs {library}: pip install 'cifarmlp[export]'\n"
