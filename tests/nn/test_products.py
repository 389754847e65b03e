"""Products added to what is there already."""

import numpy as np
import pytest

from cifarmlp.nn import products
from cifarmlp.nn.products import add_product


@pytest.mark.parametrize("own_blas", [True, False])
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-5), (np.float64, 1e-13)])
def test_it_is_c_plus_alpha_times_the_product(
    own_blas: bool, dtype: type, rtol: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not own_blas:
        monkeypatch.setattr(products, "_gemm", lambda dtype: None)
    rng = np.random.default_rng(1)
    C, a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((7, 5), (11, 7), (11, 5)))
    expected = C.astype(np.longdouble) - 0.3 * a.T.astype(np.longdouble) @ b
    add_product(C, a, b, -0.3)
    np.testing.assert_allclose(C, expected.astype(dtype), rtol=rtol, atol=rtol)


def test_numpys_wheels_have_the_product_in_one_pass() -> None:
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]  # type: ignore[index]
    if blas["name"] != "scipy-openblas":
        pytest.skip("not a wheel")
    assert products._gemm(np.dtype(np.float32)) is not None
    assert products._gemm(np.dtype(np.float64)) is not None


@pytest.mark.parametrize(
    ("C", "a", "b"),
    [
        (np.zeros((7, 5)), np.zeros((11, 7)), np.zeros((11, 4))),
        (np.zeros((7, 5)), np.zeros((10, 7)), np.zeros((11, 5))),
        (np.zeros((7, 5)), np.zeros((11, 7), np.float32), np.zeros((11, 5))),
        (np.zeros((7, 5)), np.zeros((7, 11)).T, np.zeros((11, 5))),
        (np.zeros((5, 7)).T, np.zeros((11, 7)), np.zeros((11, 5))),
    ],
)
def test_arrays_that_do_not_fit_are_refused(C: np.ndarray, a: np.ndarray, b: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"contiguous|of float"):
        add_product(C, a, b, 1)
