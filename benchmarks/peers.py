"""One network, microseconds per step: this engine, its bare products, PyTorch, JAX and scikit-learn.

    python benchmarks/peers.py [--rounds N] [--seconds S] [--json FILE]

A step is 100 random images, standardised, through 3072-50-50-10 with batch norm, cross-entropy, L2 on the
weights, plain gradient descent. Each peer runs in its best arrangements: "uint8" gathers from 49,000 uint8
images and standardises, as this engine does; "float32" only gathers, from 20,000 standardised beforehand.
Each peer and thread count has a process of its own, pinned to so many cores, and only one works at a time:
blocks of a fraction of a second, all in turn, several rounds; medians.
"""

import itertools
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import side_by_side
from side_by_side import Builds, Contender, Result
from tabulate import tabulate

from cifarmlp import parallel
from cifarmlp.training import bench
from cifarmlp.training.bench import BATCH, SIZES, Block, repeated

N_UINT8, N_FLOAT32 = 49_000, 20_000
ETA, LAM, EPS = 0.01, 0.005, 1e-5
SCAN = 200  # steps in one call of a compiled loop, over all networks


def ours(threads: int) -> Builds:
    """This engine."""
    return {"uint8": partial(bench.steps, 1, N_UINT8)}


def products(threads: int) -> Builds:
    """The first layer's two products in NumPy, nothing else."""
    return {"no network": partial(bench.products, 1)}


def images(uint8: bool) -> tuple[Any, Any, Any, Any]:
    """Pixels, labels, mean and 1 / std; the pixels uint8, or float32 and standardised already."""
    rng = np.random.default_rng(1)
    n = N_UINT8 if uint8 else N_FLOAT32
    pixels = rng.integers(0, 256, (n, SIZES[0]), dtype=np.uint8)
    labels = rng.integers(0, SIZES[-1], n)
    mean = np.full(SIZES[0], 127.5, np.float32)
    inverse = np.full(SIZES[0], 1 / 73.9, np.float32)
    return pixels if uint8 else (pixels - mean) * inverse, labels, mean, inverse


def pytorch(threads: int) -> Builds:
    """PyTorch: eager and compiled, either way with its faster optimisers."""
    import torch

    torch.set_num_threads(threads)
    builds: Builds = {}
    for kind in ("uint8", "float32"):
        model = partial(_torch_model, kind == "uint8")
        builds |= {
            f"eager, {kind}, foreach": lambda model=model: torch_block(*model(), "foreach"),
            f"eager, {kind}, fused": lambda model=model: torch_block(*model(), "fused"),
            f"compile, {kind}, fused": lambda model=model: torch_block(*model(), "fused", True),
            f"compile, {kind}, compiled SGD": lambda model=model: torch_block(
                *model(), "foreach", True, True
            ),
        }
    return builds


def _torch_model(uint8: bool) -> tuple[Any, list[Any], list[Any], int]:
    """Function from rows to loss, the weights, the other parameters, and the number of images."""
    from torch import nn

    first, second, third, classes = SIZES
    model = nn.Sequential(
        nn.Linear(first, second, bias=False), nn.BatchNorm1d(second), nn.ReLU(),
        nn.Linear(second, third, bias=False), nn.BatchNorm1d(third), nn.ReLU(),
        nn.Linear(third, classes),
    )  # fmt: skip
    pick = torch_pick(uint8)

    def loss_of(rows: Any) -> Any:
        x, labels = pick(rows)
        return nn.functional.cross_entropy(model(x), labels)

    weights = [p for p in model.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if p.ndim == 1]
    return loss_of, weights, others, N_UINT8 if uint8 else N_FLOAT32


def torch_pick(uint8: bool) -> Callable[[Any], tuple[Any, Any]]:
    """Function from rows to standardised images and labels."""
    import torch

    pixels, labels, mean, inverse = map(torch.from_numpy, images(uint8))

    def pick(rows: Any) -> tuple[Any, Any]:
        x = pixels[rows]
        return (x.float().sub_(mean).mul_(inverse) if uint8 else x), labels[rows]

    return pick


def torch_block(
    loss_of: Any, weights: list[Any], others: list[Any], n: int,
    optimiser: str, compiled: bool = False, compiled_update: bool = False,
) -> Block:  # fmt: skip
    """Steps of stochastic gradient descent on `loss_of`, a function of the mini-batch's rows."""
    import torch

    groups = [{"params": weights, "weight_decay": 2 * LAM}, {"params": others}]
    sgd = torch.optim.SGD(groups, lr=ETA, **{optimiser: True})
    loss = torch.compile(loss_of, dynamic=False) if compiled else loss_of
    update = torch.compile(sgd.step, dynamic=False) if compiled_update else sgd.step

    def batches() -> Iterator[Any]:
        while True:
            yield from torch.randperm(n)[: n // BATCH * BATCH].split(BATCH)

    rows = batches()

    def step() -> None:
        sgd.zero_grad(set_to_none=True)
        loss(next(rows)).backward()
        update()

    for _ in range(3):
        step()  # the compiler may want a second look
    return repeated(step)


def jax(threads: int) -> Builds:
    """JAX: a compiled loop over many steps, and a compiled step called from Python."""
    builds: Builds = {}
    for kind in ("uint8", "float32"):
        builds[f"scan, {kind}"] = partial(jax_block, kind == "uint8")
        builds[f"jit, {kind}"] = partial(jax_block, kind == "uint8", scan=False)
    import jax  # noqa: F401  (not installed?)

    return builds


def jax_block(uint8: bool, members: int | None = None, scan: bool = True) -> Block:
    """Steps of one network, or of `members` by vmap."""
    import jax
    import jax.numpy as jnp

    pixels, labels, mean, inverse = map(jnp.asarray, images(uint8))

    def loss_of(parameters: Any, x: Any, y: Any) -> tuple[Any, Any]:
        *hidden, (W, b) = parameters
        moments = []
        for V, gamma, beta in hidden:
            s = x @ V
            moments.append((s.mean(0), s.var(0)))
            s = (s - moments[-1][0]) * jax.lax.rsqrt(moments[-1][1] + EPS)
            x = jax.nn.relu(s * gamma + beta)
        log_p = jax.nn.log_softmax(x @ W + b)
        return -jnp.take_along_axis(log_p, y[:, None], 1).mean(), moments

    def train(state: Any, x: Any, y: Any) -> Any:
        parameters, averages = state
        gradients, moments = jax.grad(loss_of, has_aux=True)(parameters, x, y)
        decay = jax.tree.map(lambda p: 2 * LAM * (p.ndim == 2), parameters)
        new = jax.tree.map(lambda p, g, d: p - ETA * (g + d * p), parameters, gradients, decay)
        return new, jax.tree.map(lambda old, now: 0.9 * old + 0.1 * now, averages, moments)

    train_all = jax.vmap(train, (0, None, None)) if members else train

    def step(state: Any, rows: Any, data: Any) -> Any:
        pixels, labels, mean, inverse = data
        x = pixels[rows]
        return train_all(state, (x.astype(jnp.float32) - mean) * inverse if uint8 else x, labels[rows])

    def many(state: Any, order: Any, data: Any) -> Any:
        return jax.lax.scan(lambda s, rows: (step(s, rows, data), None), state, order)[0]

    rng = np.random.default_rng(1)

    def draw(fan_in: int, fan_out: int) -> Any:
        lead = (members,) if members else ()
        W = rng.standard_normal((*lead, fan_in, fan_out), np.float32) * (2 / fan_in) ** 0.5
        ones, zeros = np.ones((*lead, fan_out), np.float32), np.zeros((*lead, fan_out), np.float32)
        return (W, zeros) if fan_out == SIZES[-1] else (W, ones, zeros)

    parameters = [draw(i, o) for i, o in itertools.pairwise(SIZES)]
    averages = [(zeros, ones) for _, ones, zeros in parameters[:-1]]
    state = jax.tree.map(jnp.asarray, (parameters, averages))
    compiled = jax.jit(many if scan else step, donate_argnums=0)
    data = pixels, labels, mean, inverse

    steps = SCAN // (members or 1)

    def call() -> None:
        nonlocal state
        order = rng.permutation(len(pixels))[: steps * BATCH].reshape(steps, BATCH).astype(np.int32)
        for rows in [order] if scan else order:
            state = compiled(state, rows, data)
        jax.block_until_ready(state)

    return repeated(call, steps)


def scikit_learn(threads: int) -> Builds:
    """MLPClassifier, which has no batch norm; L2 is lam sum W², as alpha / (2 B) of its own."""
    import warnings

    from sklearn.neural_network import MLPClassifier

    warnings.simplefilter("ignore")
    x, labels, _, _ = images(False)

    def build(rows_per_call: int) -> Block:
        model = MLPClassifier(
            SIZES[1:-1], solver="sgd", alpha=2 * LAM * BATCH, batch_size=BATCH, learning_rate_init=ETA,
            momentum=0.0, nesterovs_momentum=False,
        )  # fmt: skip
        rng = np.random.default_rng(1)

        def call() -> None:
            rows = slice(None) if rows_per_call == len(x) else rng.integers(0, len(x), rows_per_call)
            model.partial_fit(x[rows], labels[rows], classes=np.arange(SIZES[-1]))

        return repeated(call, rows_per_call // BATCH)

    return {
        "no batch norm, float32, a batch a call": partial(build, BATCH),
        "no batch norm, float32, an epoch a call": partial(build, len(x)),
    }


CONTENDERS: dict[str, Contender] = {
    "this engine": ours,
    "bare products": products,
    "PyTorch": pytorch,
    "JAX": jax,
    "scikit-learn": scikit_learn,
}


def table(results: list[Result]) -> str:
    """A line a block, and this engine's best over each peer's best."""
    mine = {r.threads: _median_us(r) for r in results if r.contender == "this engine"}
    rows = []
    for r in sorted(results, key=lambda r: (list(CONTENDERS).index(r.contender), r.block, r.threads)):
        numbers = [r.note, "", ""]
        if r.seconds:
            ratio = f"{mine[r.threads] / _median_us(r):.2f}" if r.threads in mine else ""
            numbers = [f"{_median_us(r):.0f}", f"{_least_us(r):.0f}", ratio]
        rows.append([r.contender, r.block, r.threads, *numbers])
    headers = ["", "variant", "threads", "median µs", "least µs", "this engine / it"]
    lines = [tabulate(rows, headers, disable_numparse=True, colalign=["left"] * 2 + ["right"] * 4), ""]
    for name in list(CONTENDERS)[1:]:
        best = [r for r in results if r.contender == name and r.seconds]
        if best and mine:
            fastest = min(best, key=_median_us)
            ratio = min(mine.values()) / _median_us(fastest)
            where = f"{fastest.block}, {fastest.threads} threads: {_median_us(fastest):.0f} µs"
            lines.append(f"this engine's best / {name}'s best ({where}): {ratio:.2f}")
    return "\n".join(lines)


def _median_us(result: Result) -> float:
    return 1e6 * statistics.median(each for (each,) in result.seconds)


def _least_us(result: Result) -> float:
    return 1e6 * min(each for (each,) in result.seconds)


if __name__ == "__main__":
    counts = range(1, min(parallel.cores(), 4) + 1)
    side_by_side.main(__file__, CONTENDERS, [(name, 1, n) for name in CONTENDERS for n in counts], table)
