"""The readme beside a case: each array with its shape and equation, and starter programs."""

from importlib.resources import files
from pathlib import Path

from cifarmlp.owncode.case import SCALARS, in_layout
from cifarmlp.owncode.reference import Case, answers_of

MEANINGS = {
    "X": "the images, standardised pixels",
    "labels": "the classes, 0 to 9 (in a language that counts from 1, class k is at place k + 1)",
    "Y": "the labels as one-hot vectors",
    "W": "weights of layer {n}",
    "b": "biases of layer {n}",
    "gamma": "scale of batch norm {n}",
    "beta": "shift of batch norm {n}",
    "running_mean": "running average of the mean in batch norm {n}",
    "running_var": "running average of the variance in batch norm {n}",
    "v": "the optimiser's velocity of that parameter",
    "lambda": "L2: cost = loss + lambda sum W², over the weights W only",
    "eps": "in batch norm, under the root",
    "eta": "learning rate of the one update",
    "rho": "share of the old that the running averages keep",
    "momentum": "share of the old velocity that an update keeps",
}
EQUATIONS = {
    "s": "s = h W + b, of layer {n}; h of the layer below, X at the bottom",
    "mean": "mean of s{n} over the images",
    "var": "variance of s{n} over the images, divided by n",
    "shat": "(s - mean) / sqrt(var + eps)",
    "h": "ReLU(gamma shat + beta)",
    "P": "softmax of the last s, image by image",
    "loss": "mean over the images of -log P of the right class",
    "cost": "loss + lambda sum W²",
    "dW": "h' ds + 2 lambda W, h the layer's input, ds the gradient by s{n}; at the top (P - Y) / n",
    "db": "sum over the images of ds",
    "dgamma": "sum over the images of dy shat, dy the gradient by ReLU's input",
    "dbeta": "sum over the images of dy",
    "newrunning_mean": "rho running_mean + (1 - rho) mean",
    "newrunning_var": "rho running_var + (1 - rho) var",
    "newW": "W - eta dW",
    "newb": "b - eta db",
    "newgamma": "gamma - eta dgamma",
    "newbeta": "beta - eta dbeta",
}
ROWS_AND_COLUMNS = {
    "rows": "Rows are images: X is (n, d), W is (in, out), so that s = h W + b.",
    "columns": "Columns are images: X is (d, n), W is (out, in), so that s = W h + b; vectors are columns.",
}


def readme_of(case: Case, path: Path, layout: str) -> str:
    """Return the readme of a case in a file, as Markdown."""
    answers, _ = answers_of(case)
    scalars = [name for name, field in SCALARS.items() if getattr(case, field) is not None]
    given = [_row(name, str(in_layout(name, case[name], layout).shape), MEANINGS) for name in case.arrays]
    given += [_row(name, "number", MEANINGS) for name in scalars]
    equations = _equations(case, layout)
    wanted = [_row(name, _shape(name, answers[name], layout), equations) for name in answers]
    return "\n".join(
        [
            f"# {path.name}: a case with known answers",
            "",
            "A small network, a mini-batch and one update, in float64. Run your own functions on it, save",
            "what they compute, any part of it, and ask which quantity is wrong first, and by which mistake:",
            "",
            f"    cifarmlp diagnose {path.name} mine{path.suffix}",
            "",
            f"{ROWS_AND_COLUMNS[layout]} What you save may have either layout; float32 is as good.",
            "",
            "## Given",
            "",
            "| name | shape | meaning |",
            "| --- | --- | --- |",
            *given,
            "",
            "## To hand in, in order of computation",
            "",
            "| name | shape | equation |",
            "| --- | --- | --- |",
            *wanted,
            "",
            _notes(case),
            *(f"\n## Starter in {language}\n\n```{code}\n{_starter(name, path, layout)}```\n"
              for language, code, name in STARTERS),
        ]
    )  # fmt: skip


FOR_MAT = {  # in the starters of a case for MATLAB
    "import numpy as np\n": "from scipy.io import loadmat, savemat\n",
    'dict(np.load("CASE"))': 'loadmat("CASE", squeeze_me=False)',
    "(float(case[name]) for": "(case[name].item() for",
    'np.savez("mine.npz", **mine)': 'savemat("mine.mat", mine)',
    "using NPZ": "using MAT",
    'npzread("CASE")': 'matread("CASE")',
    'npzwrite("mine.npz", mine)': 'matwrite("mine.mat", mine)',
    "  % a case for MATLAB is written by: cifarmlp case CASE": "",
}
STARTERS = (
    ("Python", "python", "python.txt"),
    ("MATLAB and Octave", "matlab", "matlab.txt"),
    ("Julia", "julia", "julia.txt"),
)


def _starter(name: str, path: Path, layout: str) -> str:
    text = files("cifarmlp.owncode").joinpath("starters", name).read_text(encoding="utf-8")
    if path.suffix == ".mat":
        for old, new in FOR_MAT.items():
            text = text.replace(old, new)
    ending = ".mat" if name == "matlab.txt" else path.suffix
    return text.replace("CASE", f"{path.stem}{ending}").replace("LAYOUT", layout)


def _row(name: str, shape: str, words: dict[str, str]) -> str:
    kind = name.rstrip("0123456789")
    kind = "v" if kind not in words and kind.startswith("v") else kind
    text = words.get(kind, "").format(n=name[len(kind) :])
    return f"| {name} | {shape} | {text} |"


def _shape(name: str, array: object, layout: str) -> str:
    shape = in_layout(name, array, layout).shape  # type: ignore[arg-type]
    return str(shape) if shape else "number"


def _equations(case: Case, layout: str) -> dict[str, str]:
    hidden = EQUATIONS["h"] if case.is_normalised else "ReLU(s)"
    equations = {**EQUATIONS, "h": hidden}
    if layout == "columns":
        equations |= {
            "s": EQUATIONS["s"].replace("h W", "W h"),
            "dW": EQUATIONS["dW"].replace("h' ds", "ds h'"),
        }
    if case.momentum is not None:
        kinds = ("W", "b", "gamma", "beta")
        equations |= {f"new{kind}": f"{kind} - (momentum v{kind} + eta d{kind})" for kind in kinds}
    return equations


def _notes(case: Case) -> str:
    lines = [
        "Gradients are those of the cost, with the division by the number of images and the L2 term in them."
    ]
    if case.is_normalised:
        lines.append("Batch norm stands between the linear layer and ReLU, and uses the batch's statistics.")
        lines.append("A layer before batch norm may have its bias b or none: the normalisation removes it.")
    if case.momentum is not None:
        lines.append("The update has momentum: v = momentum v + eta dW, W = W - v; so for all parameters.")
        lines.append("vW1, vb1, ... are the velocities before it.")
    return "\n".join(lines)
