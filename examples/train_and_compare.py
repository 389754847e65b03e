"""Does batch normalisation help? Two configs, two seeds each, and their difference seed by seed.

Run: python examples/train_and_compare.py. It takes about half a minute, and leaves its runs in runs/.
"""

from matplotlib import pyplot

import cifarmlp

STEPS = 1000
CHANGES = {"with-bn": {}, "without-bn": {"network.batch_norm": False}}


def main() -> None:
    runs = {}
    for name, changes in CHANGES.items():
        config = cifarmlp.load_config("quickstart", {"name": name, "training.steps": STEPS, **changes})
        runs[name] = cifarmlp.train(config, seeds=2)
        accuracies = [outcome.metric("test", "accuracy") for outcome in runs[name].outcomes()]
        print(f"{name}: test accuracy", *(f"{accuracy:.4f}" for accuracy in accuracies))
        for seed in runs[name].seeds:
            history = seed.history()
            label = f"{name}, seed {seed.config.seed}"
            pyplot.plot(history["step"], history["validation_accuracy"], label=label)

    comparison = cifarmlp.compare(list(runs.values()))
    (difference,) = comparison.paired.values()
    test = difference["test"]
    print(f"difference {test['mean']:+.4f}, 95 % interval {test['low']:+.4f} to {test['high']:+.4f}")

    pyplot.xlabel("step")
    pyplot.ylabel("validation accuracy")
    pyplot.legend()
    pyplot.savefig("train_and_compare.png")


if __name__ == "__main__":
    main()
