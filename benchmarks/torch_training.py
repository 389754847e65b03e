"""Report 2's 3-layer network as one would train it in PyTorch, evaluated as `cifarmlp train` does.

    python benchmarks/torch_training.py IMAGES EPOCHS THREADS OUT

IMAGES: a folder with pixels.npy (60000, 3072) and labels.npy, uint8, training images first. All are
standardised once, in float32. After each epoch cost, loss and accuracy of all training and validation images;
at the end those of the test images. OUT gets metrics.csv, curves.png and model.pt.
"""

import csv
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

VALIDATION, BATCH, CHUNK = 1000, 100, 500
ETA_MIN, ETA_MAX, N_S, LAM = 1e-5, 1e-1, 2250, 0.005


def load(folder: Path) -> dict[str, tuple[Tensor, Tensor]]:
    """Return standardised images and labels of each part."""
    pixels = np.load(folder / "pixels.npy", mmap_mode="r")
    labels = torch.from_numpy(np.load(folder / "labels.npy").astype(np.int64))
    ends = {
        "train": (0, 50_000 - VALIDATION),
        "validation": (50_000 - VALIDATION, 50_000),
        "test": (50_000, 60_000),
    }
    x = torch.from_numpy(np.asarray(pixels)).float()
    train = x[: ends["train"][1]]
    mean, std = train.mean(0), train.std(0, unbiased=False)
    x.sub_(mean).div_(std)
    return {part: (x[start:end], labels[start:end]) for part, (start, end) in ends.items()}


def network() -> nn.Sequential:
    """Return 3072-50-50-10 with batch norm, by He's initialisation."""
    model = nn.Sequential(
        nn.Linear(3072, 50), nn.BatchNorm1d(50), nn.ReLU(),
        nn.Linear(50, 50), nn.BatchNorm1d(50), nn.ReLU(),
        nn.Linear(50, 10),
    )  # fmt: skip
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)
    return model


def eta_at(step: int) -> float:
    """Return the cyclical rate of a step."""
    return ETA_MIN + (ETA_MAX - ETA_MIN) * (1 - abs(step / N_S % 2 - 1))


@torch.no_grad()
def evaluate(model: nn.Module, x: Tensor, labels: Tensor) -> list[float]:
    """Return cost, loss and accuracy."""
    model.eval()
    total = right = 0.0
    for start in range(0, len(x), CHUNK):
        logits, y = model(x[start : start + CHUNK]), labels[start : start + CHUNK]
        total += float(nn.functional.cross_entropy(logits, y, reduction="sum"))
        right += float((logits.argmax(1) == y).sum())
    model.train()
    decay = sum(float(p.square().sum()) for p in model.parameters() if p.ndim == 2)
    return [total / len(x) + LAM * decay, total / len(x), right / len(x)]


def train(parts: dict[str, tuple[Tensor, Tensor]], epochs: int) -> tuple[nn.Module, list[list[float]]]:
    """Return the model and a row a evaluation."""
    (x, labels), model = parts["train"], network()
    weights = [p for p in model.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if p.ndim == 1]
    groups: list[Any] = [{"params": weights, "weight_decay": 2 * LAM}, {"params": others}]
    sgd, step = torch.optim.SGD(groups, lr=ETA_MIN, fused=True), 0
    rows = [[0, *evaluate(model, *parts["train"]), *evaluate(model, *parts["validation"])]]
    for _ in range(epochs):
        for chosen in torch.randperm(len(x)).split(BATCH):
            for group in sgd.param_groups:
                group["lr"] = eta_at(step)
            sgd.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(model(x[chosen]), labels[chosen]).backward()
            sgd.step()
            step += 1
        rows.append([step, *evaluate(model, *parts["train"]), *evaluate(model, *parts["validation"])])
    return model, rows


def draw(rows: list[list[float]]) -> Figure:
    """Draw the curves of cost, loss and accuracy."""
    figure = Figure((12, 4), layout="constrained")
    for axes, name, column in zip(
        figure.subplots(1, 3), ("cost", "loss", "accuracy"), (1, 2, 3), strict=True
    ):
        for part, offset in (("train", 0), ("validation", 3)):
            axes.plot([row[0] for row in rows], [row[column + offset] for row in rows], label=part)
        axes.set(xlabel="step", ylabel=name)
        axes.legend()
    return figure


def main(images: str, epochs: str, threads: str, out: str) -> None:
    """Train, evaluate the test images, and write what is left of it."""
    torch.set_num_threads(int(threads))
    torch.manual_seed(1)
    parts, folder = load(Path(images)), Path(out)
    model, rows = train(parts, int(epochs))
    print("test: cost, loss, accuracy", *evaluate(model, *parts["test"]))
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metrics.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)
    draw(rows).savefig(folder / "curves.png")
    torch.save(model.state_dict(), folder / "model.pt")


if __name__ == "__main__":
    main(*sys.argv[1:])
