"""Which known mistakes are wrong where a published list of gradients is."""

from cifarmlp.owncode.pattern import mistakes_with_pattern

NAMES = ["W1", "gamma1", "beta1", "W2", "gamma2", "beta2", "W3", "gamma3", "beta3", "W4", "b4"]
BELOW = {**dict.fromkeys(("W1", "W2", "W3", "gamma1", "gamma2", "beta1", "beta2"), 0.05)}
ABOVE = {**dict.fromkeys(("W4", "gamma3", "beta3"), 1e-6), "gamma4": 0.0}


def ids(reported: dict[str, float]) -> list[str]:
    return [mistake.id for mistake in mistakes_with_pattern(NAMES, reported, 1e-5)]


def test_what_is_wrong_below_a_normalisation_is_a_mistake_in_its_backward_pass() -> None:
    assert ids(BELOW | ABOVE) == [
        "batch_statistics_constant",
        "bn_mean_term_missing",
        "bn_variance_term_missing",
        "gamma_missing_in_backward",
    ]


def test_another_pattern_has_other_mistakes() -> None:
    weights = dict.fromkeys(("W1", "W2", "W3", "W4"), 0.3)
    others = dict.fromkeys(("gamma1", "gamma2", "gamma3", "beta1", "beta2", "beta3"), 1e-8)
    assert ids(weights | others) == ["not_averaged", "averaged_twice", "l2_halved", "l2_missing"]


def test_right_gradients_have_no_mistake() -> None:
    assert ids(dict.fromkeys((*BELOW, *ABOVE), 1e-8)) == []
