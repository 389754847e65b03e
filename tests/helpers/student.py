"""A student's program: one network in plain loops, right unless it is told to make a mistake.

It shares no code with the package: numbers are Python's own floats in nested lists, one image after another.
"""

import math
from typing import Any

import numpy as np

Matrix = list[list[float]]


def student(case: dict[str, Any], mistakes: tuple[str, ...] = (), biases: bool = True) -> dict[str, Any]:
    """Return every quantity of a case in rows, with these mistakes; biases: before batch norm, too."""
    made = set(mistakes)
    a = {name: np.asarray(value).tolist() for name, value in case.items()}
    lam, eps, eta, rho = a["lambda"], a["eps"], a["eta"], a["rho"]
    n, depth = len(a["X"]), sum(name[0] == "W" for name in a)
    norm = "gamma1" in a
    if "eps_missing" in made:
        eps = 0.0
    if "eps_other" in made:
        eps = 1e-5
    out: dict[str, Any] = {}
    inputs, before_relu, before_norm, stds, shats = {1: a["X"]}, {}, {}, {}, {}

    def linear(layer: int, rows: Matrix) -> Matrix:
        W, b = a[f"W{layer}"], a[f"b{layer}"]
        with_bias = biases or not norm or layer == depth
        return [
            [
                sum(x * W[i][j] for i, x in enumerate(row)) + (b[j] if with_bias else 0.0)
                for j in range(len(b))
            ]
            for row in rows
        ]

    def normalise(layer: int, rows: Matrix) -> Matrix:
        units = range(len(rows[0]))
        mean = [sum(row[j] for row in rows) / n for j in units]
        by = n - 1 if "variance_unbiased" in made else n
        var = [sum((row[j] - mean[j]) ** 2 for row in rows) / by for j in units]
        out[f"mean{layer}"], out[f"var{layer}"] = mean, var
        if "running_statistics_in_training" in made:
            mean, var = a[f"running_mean{layer}"], a[f"running_var{layer}"]
        if "eps_outside_sqrt" in made:
            std = [math.sqrt(v) + eps for v in var]
        else:
            std = [math.sqrt(v + eps) for v in var]
        shat = [[(row[j] - mean[j]) / std[j] for j in units] for row in rows]
        out[f"shat{layer}"] = shats[layer] = shat
        before_norm[layer], stds[layer] = rows, std
        gamma, beta = a[f"gamma{layer}"], a[f"beta{layer}"]
        if "swapped_forward" in made:
            gamma, beta = beta, gamma
        return [[gamma[j] * row[j] + beta[j] for j in units] for row in shat]

    def relu(rows: Matrix) -> Matrix:
        return [[x if x > 0 else 0.0 for x in row] for row in rows]

    for layer in range(1, depth):
        s = out[f"s{layer}"] = linear(layer, inputs[layer])
        if not norm:
            before_relu[layer], h = s, relu(s)
        elif "bn_after_activation" in made:
            before_relu[layer], h = s, normalise(layer, relu(s))
        else:
            y = normalise(layer, s)
            before_relu[layer], h = y, relu(y)
        out[f"h{layer}"] = inputs[layer + 1] = h
    logits = out[f"s{depth}"] = linear(depth, inputs[depth])
    if "softmax_over_batch" in made:
        totals = [sum(math.exp(row[k]) for row in logits) for k in range(10)]
        P = [[math.exp(row[k]) / totals[k] for k in range(10)] for row in logits]
    else:
        P = [[math.exp(z) / sum(math.exp(w) for w in row) for z in row] for row in logits]
    out["P"] = P
    labels = [int(label) for label in a["labels"]]
    if "labels_shifted" in made:
        labels = [(label + 1) % 10 for label in labels]
    out["loss"] = -sum(math.log(P[i][labels[i]]) for i in range(n)) / n
    penalty = sum(w * w for k in range(1, depth + 1) for row in a[f"W{k}"] for w in row)
    if "l2_missing_in_cost" in made:
        penalty = 0.0
    if "l2_halved_in_cost" in made:
        penalty /= 2
    out["cost"] = out["loss"] + lam * penalty

    divisor = {"not_averaged": 1, "averaged_twice": n * n}.get(
        next(iter(made & {"not_averaged", "averaged_twice"}), ""), n
    )
    sign = -1 if "gradient_sign" in made else 1
    ds = [[sign * (P[i][k] - (k == labels[i])) / divisor for k in range(10)] for i in range(n)]
    new: dict[str, Any] = {}

    def updated(name: str, gradient: list[Any]) -> Any:
        step = np.asarray(gradient) * eta
        if "momentum" in a:
            keep = a["momentum"]
            share = 1 - keep if "momentum_dampened" in made else 1.0
            step = keep * np.asarray(a[f"v{name}"]) + share * step
        sign = 1 if "update_sign" in made else -1
        return (np.asarray(a[name]) + sign * step).tolist()

    decay = 2 * lam * (0.0 if "l2_missing" in made else 0.5 if "l2_halved" in made else 1.0)
    for layer in range(depth, 0, -1):
        rows, W = inputs[layer], a[f"W{layer}"]
        dW = [
            [sum(rows[i][p] * ds[i][q] for i in range(n)) + decay * W[p][q] for q in range(len(ds[0]))]
            for p in range(len(rows[0]))
        ]
        db = [sum(ds[i][q] for i in range(n)) for q in range(len(ds[0]))]
        if "bias_gradient_not_summed" in made:
            db = [d / n for d in db]
        if "l2_on_biases" in made:
            db = [d + 2 * lam * b for d, b in zip(db, a[f"b{layer}"], strict=True)]
        out[f"dW{layer}"], out[f"db{layer}"] = dW, db
        new[f"newW{layer}"], new[f"newb{layer}"] = updated(f"W{layer}", dW), updated(f"b{layer}", db)
        if layer == 1:
            break
        through = new[f"newW{layer}"] if "updated_before_backward" in made else W
        below = layer - 1
        units = range(len(W))
        dh = [[sum(ds[i][q] * through[p][q] for q in range(len(ds[0]))) for p in units] for i in range(n)]

        def masked(gradient: Matrix, below: int = below, units: range = units) -> Matrix:
            gate = before_relu[below]
            if "relu_mask_of_wrong_input" in made:
                gate = before_norm[below]
            if "relu_mask_missing" in made:
                return gradient
            return [[gradient[i][p] if gate[i][p] > 0 else 0.0 for p in units] for i in range(n)]

        def through_norm(dy: Matrix, below: int = below, units: range = units) -> Matrix:
            shat, std, gamma = shats[below], stds[below], a[f"gamma{below}"]
            dgamma = [sum(dy[i][p] * shat[i][p] for i in range(n)) for p in units]
            dbeta = [sum(dy[i][p] for i in range(n)) for p in units]
            if "gamma_beta_swapped" in made:
                dgamma, dbeta = dbeta, dgamma
            out[f"dgamma{below}"], out[f"dbeta{below}"] = dgamma, dbeta
            new[f"newgamma{below}"] = updated(f"gamma{below}", dgamma)
            new[f"newbeta{below}"] = updated(f"beta{below}", dbeta)
            if "swapped_update" in made:
                pair = new[f"newbeta{below}"], new[f"newgamma{below}"]
                new[f"newgamma{below}"], new[f"newbeta{below}"] = pair
            result = []
            for i in range(n):
                line = []
                for p in units:
                    factor = [1.0 if "gamma_missing_in_backward" in made else gamma[p]][0]
                    ours = factor * dy[i][p]
                    mean = sum(factor * dy[k][p] for k in range(n)) / n
                    along = sum(factor * dy[k][p] * shat[k][p] for k in range(n)) / n
                    if made & {"batch_statistics_constant", "bn_mean_term_missing"}:
                        mean = 0.0
                    if made & {"batch_statistics_constant", "bn_variance_term_missing"}:
                        along = 0.0
                    line.append((ours - mean - shat[i][p] * along) / std[p])
                result.append(line)
            return result

        if not norm:
            ds = masked(dh)
        elif "bn_after_activation" in made:
            ds = masked(through_norm(dh))
        else:
            ds = through_norm(masked(dh))
    if norm:
        for layer in range(1, depth):
            for kind in ("mean", "var"):
                old, batch = a[f"running_{kind}{layer}"], out[f"{kind}{layer}"]
                keep = 1 - rho if "averages_reversed" in made else rho
                start = [0.0] * len(old) if "averages_from_zero" in made else old
                new[f"newrunning_{kind}{layer}"] = [
                    keep * o + (1 - keep) * b for o, b in zip(start, batch, strict=True)
                ]
    without = (
        set() if biases or not norm else {f"{k}b{layer}" for k in ("d", "new") for layer in range(1, depth)}
    )
    return {name: np.array(value) for name, value in {**out, **new}.items() if name not in without}
