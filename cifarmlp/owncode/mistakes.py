"""Known mistakes in programs of one's own, with their words: each replaces equations of `reference.Steps`.

A mistake can be made in several ways, its variants; all have its name. To add one: an entry in MISTAKES.
"""

from dataclasses import dataclass

import numpy as np

from cifarmlp.owncode.variants import (
    RUNNING,
    Variant,
    bias_from,
    change,
    decay_of,
    eps_outside,
    eps_outside_term,
    l2_on,
    no_gamma,
    no_term,
    other_eps,
    penalty_of,
    scaled,
    shifted_labels,
    softmax_over_batch,
    swap,
    swapped_gradients,
    swapped_parameters,
    unbiased,
    unbiased_term,
)

IOFFE_SZEGEDY = "Ioffe and Szegedy 2015, 'Batch Normalization', section 3"
SUTSKEVER = "Sutskever et al. 2013, 'On the importance of initialization and momentum', section 2"
BOOK = "Goodfellow, Bengio and Courville 2016, 'Deep Learning'"


@dataclass(frozen=True)
class Mistake:
    """A known mistake. done: what the program does; right: the equation; cure: what to change in the code."""

    id: str
    done: str
    right: str
    cure: str
    reference: str
    variants: tuple[Variant, ...]


MISTAKES = (
    Mistake(
        "batch_statistics_constant",
        "the backward pass of batch norm takes the batch's mean and variance as constants",
        "ds = (dshat - mean(dshat) - shat mean(dshat shat)) / sqrt(var + eps), with dshat = gamma dy",
        "subtract the two means over the batch: every image's s moves the mean and the variance",
        IOFFE_SZEGEDY,
        (change(mean_term=no_term, variance_term=no_term),),
    ),
    Mistake(
        "bn_mean_term_missing",
        "the backward pass of batch norm leaves out the term of the mean",
        "ds = (dshat - mean(dshat) - shat mean(dshat shat)) / sqrt(var + eps)",
        "subtract mean(dshat), the mean over the batch",
        IOFFE_SZEGEDY,
        (change(mean_term=no_term),),
    ),
    Mistake(
        "bn_variance_term_missing",
        "the backward pass of batch norm leaves out the term of the variance",
        "ds = (dshat - mean(dshat) - shat mean(dshat shat)) / sqrt(var + eps)",
        "subtract shat mean(dshat shat), the mean over the batch",
        IOFFE_SZEGEDY,
        (change(variance_term=no_term),),
    ),
    Mistake(
        "gamma_missing_in_backward",
        "the gradient passes batch norm without the factor gamma",
        "dshat = gamma dy",
        "multiply the gradient that comes from above by gamma, after dgamma and dbeta are taken from it",
        IOFFE_SZEGEDY,
        (change(dshat=no_gamma),),
    ),
    Mistake(
        "gamma_beta_swapped",
        "gamma and beta, or their gradients, are swapped",
        "y = gamma shat + beta; dgamma = sum(dy shat), dbeta = sum(dy); each is updated by its own gradient",
        "check the order in which gamma and beta are passed, returned and updated",
        IOFFE_SZEGEDY,
        (
            change(gamma_and_beta_gradient=swapped_gradients),
            change(gradients_in_use=swap),
            change(gamma_and_beta=swap),
            change(scale_and_shift=swapped_parameters),
        ),
    ),
    Mistake(
        "variance_unbiased",
        "the variance is divided by n - 1",
        "var = sum((s - mean)²) / n",
        "divide by n: NumPy's var does by itself, MATLAB's var(s, 1, 2) and Julia's var(corrected=false) do",
        IOFFE_SZEGEDY,
        (
            change(variance=unbiased),
            change(variance=unbiased, variance_term=unbiased_term),
            change(running_variance=lambda var, x: var * len(x) / (len(x) - 1)),
        ),
    ),
    Mistake(
        "eps_outside_sqrt",
        "eps is added to the standard deviation",
        "shat = (s - mean) / sqrt(var + eps)",
        "add eps to the variance, under the root",
        IOFFE_SZEGEDY,
        (
            change(inverse_std=eps_outside),
            change(inverse_std=eps_outside, variance_term=eps_outside_term),
        ),
    ),
    Mistake(
        "eps_missing",
        "there is no eps, or a far smaller one",
        "shat = (s - mean) / sqrt(var + eps), with the eps of the case",
        "add the case's eps to the variance, under the root",
        IOFFE_SZEGEDY,
        (other_eps(0.0),),
    ),
    Mistake(
        "eps_other",
        "eps is another number than the case's",
        "shat = (s - mean) / sqrt(var + eps), with the eps of the case",
        "take eps from the case; PyTorch's own is 1e-5, Keras's 1e-3",
        IOFFE_SZEGEDY,
        tuple(map(other_eps, (1e-5, 1e-3, 1e-4, 1e-2, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12))),
    ),
    Mistake(
        "bn_after_activation",
        "batch norm comes after the activation",
        "h = ReLU(gamma shat + beta), with shat from s = W h + b",
        "normalise the output of the linear layer, then apply ReLU",
        IOFFE_SZEGEDY,
        (change(norm_first=False),),
    ),
    Mistake(
        "running_statistics_in_training",
        "training normalises by the running averages",
        "in training mean and var are those of the mini-batch; the running averages are for evaluation",
        "use the batch's mean and variance in the forward pass of training",
        f"{IOFFE_SZEGEDY}.1",
        RUNNING,
    ),
    Mistake(
        "averages_reversed",
        "the running averages keep 1 - rho of the old",
        "new = rho old + (1 - rho) batch",
        "swap the two factors; PyTorch's momentum is 1 - rho",
        f"{IOFFE_SZEGEDY}.1",
        (change(running=lambda old, new, rho: (1 - rho) * old + rho * new),),
    ),
    Mistake(
        "averages_from_zero",
        "the running averages forget their old value",
        "new = rho old + (1 - rho) batch, with the case's running_mean and running_var as old",
        "start from the running averages of the case",
        f"{IOFFE_SZEGEDY}.1",
        (
            change(running_start=lambda kind, old: np.zeros_like(old)),
            change(running_start=lambda kind, old: np.full_like(old, float(kind == "var"))),
        ),
    ),
    Mistake(
        "not_averaged",
        "sums over the batch stand where means should",
        "loss = mean over the images; dlogits = (P - Y) / n",
        "divide by the number of images, once",
        f"{BOOK}, section 5.9",
        scaled(1),
    ),
    Mistake(
        "averaged_twice",
        "the division by the number of images is made twice",
        "dlogits = (P - Y) / n; dW = h' ds, with no further division",
        "divide by n in one place only",
        f"{BOOK}, section 5.9",
        scaled(-1),
    ),
    Mistake(
        "l2_halved",
        "the L2 term of the gradient is lambda W",
        "cost = loss + lambda sum W², so dW = ... + 2 lambda W",
        "add 2 lambda W",
        f"{BOOK}, section 7.1.1 (whose penalty has the factor 1/2)",
        (decay_of(W=1.0),),
    ),
    Mistake(
        "l2_missing",
        "the gradient has no L2 term",
        "dW = ... + 2 lambda W",
        "add 2 lambda W to the gradient of each W",
        f"{BOOK}, section 7.1.1",
        (decay_of(W=0.0),),
    ),
    Mistake(
        "l2_on_biases",
        "L2 is applied to more than the weights W",
        "cost = loss + lambda sum W², over the weights only: not over b, gamma or beta",
        "leave b, gamma and beta out of the L2 term",
        f"{BOOK}, section 7.1",
        (*l2_on("b"), *l2_on("gamma", "beta"), *l2_on("b", "gamma", "beta"), *l2_on("gamma")),
    ),
    Mistake(
        "l2_missing_in_cost",
        "the cost has no L2 term",
        "cost = loss + lambda sum W²",
        "add lambda times the sum of the squares of all W to the loss",
        f"{BOOK}, section 7.1.1",
        (penalty_of(W=0.0),),
    ),
    Mistake(
        "l2_halved_in_cost",
        "the L2 term of the cost has the factor 1/2",
        "cost = loss + lambda sum W²",
        "leave out the 1/2",
        f"{BOOK}, section 7.1.1 (whose penalty has it)",
        (penalty_of(W=0.5),),
    ),
    Mistake(
        "relu_mask_missing",
        "the gradient passes ReLU as if it were not there",
        "ds = dh where ReLU's input is above 0, else 0",
        "multiply by the mask of the active units",
        f"{BOOK}, section 6.3.1",
        (change(mask=lambda y, x: np.ones_like(y)),),
    ),
    Mistake(
        "relu_mask_of_wrong_input",
        "ReLU's mask is that of batch norm's input",
        "the mask is y > 0, with y = gamma shat + beta, ReLU's own input",
        "take the mask from batch norm's output, or from h",
        IOFFE_SZEGEDY,
        (change(mask=lambda y, x: x > 0),),
    ),
    Mistake(
        "softmax_over_batch",
        "softmax sums over the images",
        "P = exp(s) / sum over the classes of exp(s), image by image",
        "sum along the axis of the classes",
        f"{BOOK}, section 6.2.2.3",
        (change(softmax=softmax_over_batch),),
    ),
    Mistake(
        "labels_shifted",
        "the labels are off by one",
        "labels are 0 to 9; in a language that counts from 1, class k is at place k + 1",
        "check the one-hot matrix against the case's Y",
        "the case's Y",
        (shifted_labels(1), shifted_labels(-1)),
    ),
    Mistake(
        "transposed",
        "a matrix is handed in transposed where its shape does not tell",
        "all matrices in one layout: rows are images and W (in, out), or columns are images and W (out, in)",
        "transpose it",
        "the case's readme",
        (),
    ),
    Mistake(
        "bias_gradient_not_summed",
        "the gradient of a bias is not the sum over the images",
        "db = sum over the images of ds",
        "sum ds over the images; it carries the division by n already",
        f"{BOOK}, section 6.5",
        tuple(bias_from(kind, both) for kind in ("mean", "first", "last") for both in (False, True)),
    ),
    Mistake(
        "update_sign",
        "the update goes up the gradient",
        "W = W - eta dW",
        "subtract",
        f"{BOOK}, section 4.3",
        (change(update=lambda w, change: w + change),),
    ),
    Mistake(
        "updated_before_backward",
        "the gradient passes a layer whose W was updated already",
        "dh = ds W', with the W of the forward pass",
        "compute all gradients first, then update",
        f"{BOOK}, section 6.5",
        (change(propagate=lambda ds, W, new_W: ds @ new_W.T),),
    ),
    Mistake(
        "momentum_dampened",
        "the velocity takes only 1 - momentum of the gradient",
        "v = momentum v + eta dW",
        "leave out the factor 1 - momentum",
        SUTSKEVER,
        (change(velocity=lambda v, change, momentum: momentum * v + (1 - momentum) * change),),
    ),
)
BY_ID = {mistake.id: mistake for mistake in MISTAKES}
