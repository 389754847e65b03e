"""Populations, trial-steps per second: this engine in lockstep, PyTorch and JAX in their best arrangements.

    python benchmarks/populations.py [--rounds N] [--seconds S] [--only NAME...] [--json FILE]

The step is that of peers.py. Every arrangement fills the cores: one process on all of them, or a process for
each. A PyTorch user may train one network a process, or stack K of them: the first layers as one matrix, as
they share the mini-batch, the rest by bmm; a JAX user writes vmap. The peers' K networks all have one rate.
"Of peak": all matrix products of the steps, over the processors' float32 rate in one large product.
"""

import statistics
from collections.abc import Iterable
from functools import partial
from typing import Any

import peers
import side_by_side
from peers import jax_block, torch_block, torch_pick
from side_by_side import Builds, Contender, Result
from tabulate import tabulate

from cifarmlp import parallel
from cifarmlp.training import bench
from cifarmlp.training.bench import BATCH, SIZES, Block

MEMBERS = (4, 16)


def ours(threads: int) -> Builds:
    """This engine."""
    return {f"K = {k}, uint8": partial(bench.steps, k, peers.N_UINT8) for k in (1, 4, 8, 12, 16, 20)}


def peak(threads: int) -> Builds:
    """One large product, in steps of one network's products."""
    large = bench.peak(1)
    share = bench.flops(1) / (2 * bench.SQUARE**3)
    return {"K = 1, a large product": lambda: lambda seconds: large(seconds) * share}


def torch_single(threads: int) -> Builds:
    """PyTorch, one network a process."""
    return {f"K = 1, {name}": build for name, build in peers.pytorch(threads).items()}


def torch_stacked(threads: int) -> Builds:
    """PyTorch, K networks stacked by hand."""
    import torch

    torch.set_num_threads(threads)
    builds: Builds = {}
    for k in MEMBERS:
        for kind in ("uint8", "float32"):
            builds[f"K = {k}, eager, {kind}"] = partial(_stacked, k, kind == "uint8", False)
            builds[f"K = {k}, compile, {kind}"] = partial(_stacked, k, kind == "uint8", True)
    return builds


def _stacked(members: int, uint8: bool, compiled: bool) -> Block:
    import torch
    from torch.nn import functional

    first, second, third, classes = SIZES

    def weights(*shape: int) -> Any:
        return (torch.randn(shape) * (2 / shape[-2]) ** 0.5).requires_grad_()

    Ws = [weights(first, members * second), weights(members, second, third), weights(members, third, classes)]
    widths = members * second, members * third
    scales = [(torch.ones(n).requires_grad_(), torch.zeros(n).requires_grad_()) for n in widths]
    averages = [(torch.zeros(n), torch.ones(n)) for n in widths]
    b = torch.zeros(members, 1, classes).requires_grad_()
    pick = torch_pick(uint8)

    def normalise(s: Any, n: int) -> Any:
        return functional.relu(functional.batch_norm(s, *averages[n], *scales[n], training=True))

    def by_member(x: Any) -> Any:
        return x.view(BATCH, members, -1).transpose(0, 1)

    def loss_of(rows: Any) -> Any:
        x, labels = pick(rows)
        x = by_member(normalise(x @ Ws[0], 0))
        s = torch.bmm(x, Ws[1]).transpose(0, 1).reshape(BATCH, -1)
        logits = torch.baddbmm(b, by_member(normalise(s, 1)), Ws[2])
        total = functional.cross_entropy(logits.reshape(-1, classes), labels.repeat(members), reduction="sum")
        return total / BATCH

    others = [b, *(p for pair in scales for p in pair)]
    n_images = peers.N_UINT8 if uint8 else peers.N_FLOAT32
    return torch_block(loss_of, Ws, others, n_images, "fused", compiled)


def jax_single(threads: int) -> Builds:
    """JAX, one network a process, in a compiled loop."""
    import jax  # noqa: F401  (not installed?)

    return {f"K = 1, scan, {kind}": partial(jax_block, kind == "uint8") for kind in ("uint8", "float32")}


def jax_vmap(threads: int) -> Builds:
    """JAX, K networks by vmap in a compiled loop."""
    import jax  # noqa: F401

    return {
        f"K = {k}, vmap, scan, {kind}": partial(jax_block, kind == "uint8", k)
        for k in MEMBERS
        for kind in ("uint8", "float32")
    }


CONTENDERS: dict[str, Contender] = {
    "this engine": ours,
    "PyTorch, a network a process": torch_single,
    "PyTorch, stacked": torch_stacked,
    "JAX, a network a process": jax_single,
    "JAX, vmap": jax_vmap,
    "peak": peak,
}


def table(results: list[Result]) -> str:
    """A line a block, and this engine's best over each peer's best."""
    peaks = {(r.processes, r.threads): _median(r) for r in results if r.contender == "peak"}
    mine = _best(results, ["this engine"])
    rows = []
    for r in (r for r in results if r.contender != "peak"):
        numbers = [r.note, "", "", "", ""]
        if r.seconds:
            rate, highest = _median(r), max(r.steps_per_second()) * _members(r)
            ratio = f"{_median(mine) / rate:.2f}" if mine else ""
            gflops = f"{rate * bench.flops(1) / 1e9:.1f}"
            share = peaks.get((r.processes, r.threads))
            numbers = [f"{rate:.0f}", f"{highest:.0f}", ratio, gflops, f"{rate / share:.2f}" if share else ""]
        rows.append([r.contender, r.block, f"{r.processes} x {r.threads}", *numbers])
    headers = [
        "",
        "variant",
        "processes x threads",
        "trial-steps/s",
        "highest",
        "this engine / it",
        "GFLOP/s",
    ]
    lines = [
        tabulate(rows, [*headers, "of peak"], disable_numparse=True, colalign=["left"] * 3 + ["right"] * 5)
    ]
    for peer in (name for name in CONTENDERS if name not in ("this engine", "peak")):
        if mine and (best := _best(results, [peer])):
            where = f"{best.block}, {best.processes} x {best.threads}: {_median(best):.0f}"
            ratio = _median(mine) / _median(best)
            lines.append(f"this engine's best ({_median(mine):.0f}) / {peer}'s best ({where}): {ratio:.2f}")
    return "\n".join(lines)


def _members(result: Result) -> int:
    return int(result.block.split(",")[0].removeprefix("K = "))


def _median(result: Result) -> float:
    """Trial-steps per second."""
    return _members(result) * statistics.median(result.steps_per_second())


def _best(results: list[Result], names: Iterable[str]) -> Result | None:
    return max((r for r in results if r.contender in names and r.seconds), key=_median, default=None)


if __name__ == "__main__":
    n = parallel.cores()
    shapes = dict.fromkeys([(n, 1), (1, n)])
    side_by_side.main(
        __file__, CONTENDERS, [(name, *shape) for name in CONTENDERS for shape in shapes], table
    )
