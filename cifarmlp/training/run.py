"""One training into its run folder.

    config, images -> Training -> records -> metrics.csv, checkpoint.npz -> Outcome -> result.json

Files of a run folder, in the order in which they are first written:

    file              holds                                    written
    .lock             nothing: locked by the process at work   first; stays
    .owner.json       which process that is                    first; removed at the end
    config.yaml       config, every default written out        before the first step
    environment.json  versions, machine, command, images       before the first step
    metrics.csv       one row per evaluation                   after each evaluation, as a whole
    events.out.*      the same rows, for TensorBoard           after each evaluation, with `tensorboard`
    snapshot-STEP.npz model of a cycle's end, as model.npz     there, with `snapshots: true`
    checkpoint.npz    state to resume from                     after some evaluations, see `Keeper`; when
                                                               interrupted; keeps the one before it as
                                                               checkpoint.previous.npz until the end
    batch_loss.csv    loss of the mini-batches, in windows     with each checkpoint, and at the end
    model.npz         parameters, running averages, pixel      when finished, diverged or interrupted
                      statistics
    result.json       outcome, SHA-256 of model.npz            when finished, diverged or interrupted
    curves.png        cost, loss, accuracy, eta                when finished or diverged; last
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from shlex import quote

import numpy as np
from numpy.typing import NDArray

from cifarmlp import files
from cifarmlp.config import Config, words
from cifarmlp.data import Dataset, Room
from cifarmlp.nn.scores import confusion, scores
from cifarmlp.nn.types import Float
from cifarmlp.render.curves import draw_training
from cifarmlp.training import checkpoint
from cifarmlp.training.build import eta_by_step, model_arrays
from cifarmlp.training.cost import check_memory
from cifarmlp.training.diagnosis import explain_chance, explain_divergence, stays_at_chance
from cifarmlp.training.lockstep import networks_of, records_in_lockstep
from cifarmlp.training.loop import Record, Stopped, Training
from cifarmlp.training.outcome import CLASSES, F1, Outcome, model_checksum
from cifarmlp.training.rooms import begin_to_fill, room_of
from cifarmlp.training.rows import of_member, outcome_of
from cifarmlp.training.session import Session, begin_sessions
from cifarmlp.training.snapshots import snapshots
from cifarmlp.training.tensorboard import write_events

Watch = Callable[[Training, Record], None]


@np.errstate(all="ignore")  # an overflow shows as a loss that is not finite
def train_into(
    places: Mapping[Path, Config],
    dataset: Dataset,
    threads: int | None = None,
    watch: Watch = lambda training, record: None,
    stop: Callable[[], bool] = lambda: False,
    strict: bool = False,
    tensorboard: bool = False,
    room: str | None = None,
) -> list[Outcome]:
    """Train configs with common settings in lockstep, each in its run folder.

    Each goes on from the last checkpoint there, or begins. `watch` sees every record, `stop` may end them
    early. threads: of BLAS; None adapts their number, see `BlasThreads`. tensorboard: write event files, too.
    room: see `room_of`. Raises ConfigError if a checkpoint is of another config, or there is no writer of
    event files; RunFolderError if a folder cannot be written, another process is at work in it or, with
    `strict`, a checkpoint is from another environment, where other bits may come out.
    """
    check_memory(next(iter(places.values())), networks_of(len(places)))
    with ExitStack() as stack:
        for folder in places:
            stack.enter_context(files.lock(folder))
        sessions = begin_sessions(places, dataset, threads, strict)
        for session in sessions:
            session.training.stop = stop
            if tensorboard:
                session.add_event = stack.enter_context(write_events(session.folder, session.rows))
        _give_room([s.training for s in sessions], room_of(room, dataset, sessions[0].training.train))
        outcomes = [outcome for group in _by_step(sessions) for outcome in _train(group, watch).items()]
        return [dict(outcomes)[folder] for folder in places]


def _by_step(sessions: Sequence[Session]) -> list[list[Session]]:
    """Return those that are at the same step, as after a crash their checkpoints may not all be."""
    steps = sorted({session.training.step for session in sessions})
    return [[session for session in sessions if session.training.step == step] for step in steps]


def _train(sessions: Sequence[Session], watch: Watch) -> dict[Path, Outcome]:
    """Train to the end or until stopped, keeping all records; return the outcomes by folder.

    A session that is over is finished at once. Each has its share of the time.
    """
    outcomes = dict[Path, Outcome]()
    last = time.perf_counter()

    def share_time(at_work: Sequence[Session]) -> None:
        nonlocal last
        now = time.perf_counter()
        for each in at_work:
            each.seconds += (now - last) / len(at_work)
        last = now

    trainings = [session.training for session in sessions]
    for k, record in records_in_lockstep(trainings, [session.config for session in sessions]):
        session = sessions[k]
        share_time([each for each in sessions if each is session or not each.training.over])
        session.keep(record)
        session.add_event(session.rows[-1])
        watch(session.training, record)
        session.blas.adapt()
        if session.training.over:
            outcomes[session.folder] = _finish(session)
            last = time.perf_counter()
    share_time([each for each in sessions if each.folder not in outcomes])
    return outcomes | {each.folder: _finish(each) for each in sessions if each.folder not in outcomes}


def _give_room(trainings: Sequence[Training], room: Room | None) -> None:
    if room:
        for training in trainings:
            training.room = room
        begin_to_fill(room, trainings[0].mean, trainings[0].std)


def _finish(session: Session) -> Outcome:
    """Measure the model, explain a failure, and write model, curves and result."""
    training = session.training
    if not training.over and not training.all_diverged:
        session.save()  # before anything folds the weights
    outcome = outcome_of(session.config, training, _row_to_keep(session), session.seconds)
    if outcome.status != "interrupted":
        _measure(session, outcome)
    _explain(session, outcome)
    _write(session, outcome)
    return outcome


def _row_to_keep(session: Session) -> dict[str, float]:
    """Return the row of metrics.csv of the best step, if that is kept, or else the last one; empty if none.

    A training that diverged has another row of its last step, which is not that of the best.
    """
    network, step = session.training.kept
    if network is session.training.evaluated:
        return session.rows[-1] if session.rows else {}
    return next(row for row in session.rows if row["step"] == step)


def _measure(session: Session, outcome: Outcome) -> None:
    """Evaluate the test images, also class by class; of the best network all, as its row may be of a part."""
    training, network = session.training, session.training.kept[0]
    images = {"train": training.train, "validation": training.validation, "test": session.test}
    is_last = network is training.evaluated
    parts = [p for p, each in images.items() if len(each) and not (is_last and p in outcome.metrics)]
    outputs: list[Float] = []
    try:
        for part in parts:
            measured = training.evaluate(images[part], network, outputs if part == "test" else None)
            outcome.metrics[part] = of_member(measured)
        if not outputs:
            training.evaluate(session.test, network, outputs)
        _add_scores(outcome, session.test.labels, np.concatenate(outputs)[:, 0].argmax(axis=1))
    except Stopped:
        outcome.status, outcome.diverged_at, outcome.stopped = "interrupted", None, ""


def _add_scores(outcome: Outcome, labels: NDArray[np.uint8], predicted: NDArray[np.intp]) -> None:
    """Add macro F1, and precision and recall of each class, of a network whose numbers are finite."""
    if not math.isfinite(outcome.metric("test", "accuracy")):
        return
    found = scores(confusion(labels, predicted))
    outcome.metrics["test"][F1] = found.macro_f1
    outcome.classes = {name: getattr(found, name).tolist() for name in CLASSES}


def _explain(session: Session, outcome: Outcome) -> None:
    """Add to the outcome why the training diverged, or did not leave chance level."""
    training, config = session.training, session.config
    if outcome.diverged_at is not None:
        explain_divergence(outcome, training, outcome.diverged_at, config)
        return
    has_trained = outcome.status == "finished" and outcome.steps > 0
    if has_trained and stays_at_chance(session.rows, training.train, training.evaluate_images):
        explain_chance(outcome, training, config)


def _write(session: Session, outcome: Outcome) -> None:
    folder, is_over = session.folder, outcome.status != "interrupted"
    if session.training.snapshot_every:
        outcome.snapshots = {path.name: model_checksum(folder, path.name) for path in snapshots(folder)}
    session.write_batch_loss()
    files.write_arrays(folder / "model.npz", model_arrays(session.training))
    files.write_json(folder / "result.json", {**outcome.as_dict(), "model_sha256": model_checksum(folder)})
    if is_over:
        checkpoint.drop_previous(folder)
        with files.forgive(folder / "curves.png", f"cifarmlp report {quote(str(folder))}"):
            _draw(session)


def _draw(session: Session) -> None:
    training, config = session.training, session.config
    eta = eta_by_step(training.schedule, training.step, 1001)
    title, loss = f"{config.name}, seed {config.seed}", words.loss_label([config])
    figure = draw_training(session.rows, eta, title, session.batch_loss(), loss)
    files.write_png(session.folder / "curves.png", figure)
