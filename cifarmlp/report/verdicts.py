"""Verdicts of a study on its page: how many numbers and conclusions hold, and each of them in a table."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from cifarmlp.owncode.pattern import mistakes_with_pattern
from cifarmlp.render.document import Cell, Section, Table, Text, Tone, Verdict
from cifarmlp.study import rules
from cifarmlp.study.folder import StudyFolder
from cifarmlp.study.judge import RIGHT, Judgement, judge_conclusions, judge_gradients, judge_numbers
from cifarmlp.study.schema import GradientCheck
from cifarmlp.text import counted, duration
from cifarmlp.training.gradcheck import LIMIT

TONES: dict[Tone, str] = {"good": "hold", "bad": "do not hold", "open": "not decided"}


def summary_table(studies: Sequence[StudyFolder]) -> Table:
    """Return a table of the number of verdicts of each tone, on numbers and on conclusions."""
    header = ("study", "of", *TONES.values(), "time")
    rows = tuple(row for state in studies for row in _counts(state))
    return Table("summary", "What was reported and concluded, and how much of it holds.", header, rows)


def _counts(state: StudyFolder) -> Iterator[tuple[Cell, ...]]:
    sections = state.study.sections
    judgements = {
        "reported number": [each for section in sections for each in judge_numbers(state, section)],
        "conclusion": all_conclusions(state),
    }
    times = [f"{duration(state.record.seconds)}{_copied(state)}", ""]
    for (kind, rows), time in zip(judgements.items(), times, strict=True):
        tones = Counter(each.verdict.tone for each in rows)
        yield (study_name(state), counted(len(rows), kind), *(str(tones[tone]) for tone in TONES), time)


def study_name(state: StudyFolder) -> str:
    """Return the name of a study as a word on the page."""
    return state.record.asked.name.replace("-", " ").capitalize()


def _copied(state: StudyFolder) -> str:
    if not state.record.copied:
        return ""
    seconds = duration(state.record.copied_seconds)
    return f", and {seconds} of {counted(state.record.copied, 'run')} there before"


def all_conclusions(state: StudyFolder) -> list[Judgement]:
    """Judge the conclusions of all sections."""
    return [each for section in state.study.sections for each in judge_conclusions(state, section)]


def conclusions_section(studies: Sequence[StudyFolder]) -> Iterator[Section]:
    """Yield the section of all conclusions, if there are any."""
    judgements = [each for state in studies for each in all_conclusions(state)]
    note = Text(
        "Each conclusion is tested on our own runs, with the same seeds on both sides: the mean of the "
        "paired differences with its 95 % interval."
    )
    if judgements:
        caption = "What was concluded, and whether it holds."
        yield Section("Conclusions", (note, conclusion_table("conclusions", caption, judgements)))


def conclusion_table(name: str, caption: str, judgements: Iterable[Judgement]) -> Table:
    """Return a table with a row for each conclusion."""
    header = ("conclusion", "verdict", "what was compared", "obtained")
    rows = ((j.of, j.verdict, f"{j.quantity}: {j.reported}", j.obtained) for j in judgements)
    return Table(name, caption, header, tuple(rows))


def number_table(name: str, caption: str, judgements: Iterable[Judgement]) -> Table:
    """Return a table with a row for each reported number."""
    header = ("of", "quantity", "reported", "obtained", "verdict")
    rows = ((j.of, j.quantity, j.reported, j.obtained, j.verdict) for j in judgements)
    return Table(name, caption, header, tuple(rows))


def gradient_table(state: StudyFolder, check: GradientCheck, name: str) -> Table:
    """Return a table with a row for each parameter, and for each reported one that our network lacks."""
    measure = "relative" if check.measure == "relative" else "||a − n||"
    differences = state.differences(check.name)
    judgements = {each.quantity: each for each in judge_gradients(check, differences)}
    rows: list[tuple[Cell, ...]] = []
    for difference in differences:
        judgement = judgements.pop(difference.name, None)
        numbers = (f"{difference.distance:.1e}", f"{difference.relative:.1e}", f"{difference.direction:.1e}")
        reported = ((judgement.reported if judgement else "-"),) if check.reported else ()
        rows.append((difference.name, *numbers, *reported, _verdict(check, judgement, difference.worst)))
    rows += [(n, "-", "-", "-", each.reported, each.verdict) for n, each in judgements.items()]
    columns = (f"reported, {measure}",) if check.reported else ()
    header = ("parameter", "||a − n||", "relative", "along directions", *columns, "verdict")
    caption = f"{check.name}: analytic (a) against numeric (n) gradients, float64."
    return Table(f"{name}-{check.name}", caption, header, tuple(rows))


def mistake_notes(state: StudyFolder, check: GradientCheck) -> Iterator[Text]:
    """Yield the known mistakes that make exactly the gradients wrong that were reported wrong."""
    names = [difference.name for difference in state.differences(check.name)]
    known = [name for name in names if name in check.reported]
    wrong = [name for name in known if not check.reported[name] < RIGHT["relative"]]
    if check.mistake or check.measure != "relative" or not wrong:
        return
    found = mistakes_with_pattern(names, check.reported, RIGHT["relative"])
    same = "; ".join(f"{mistake.id} ({mistake.done})" for mistake in found) or "none"
    yield Text(
        f"Wrong as reported: {', '.join(wrong)}, {len(wrong)} of {len(known)}. Known mistakes of the "
        f"backward pass that make exactly these gradients wrong: {same}. `cifarmlp case` and "
        "`cifarmlp diagnose` tell which of them it is, from the program's own numbers.",
        "note",
    )


def _verdict(check: GradientCheck, judgement: Judgement | None, worst: float) -> Cell:
    if judgement:
        return judgement.verdict
    if check.mistake:
        return "-"
    return Verdict("right", "good") if worst < LIMIT else Verdict("ours is wrong", "bad")


def rules_section() -> Section:
    """Return the rules of the verdicts, a paragraph each."""
    return Section("The rules of the verdicts", tuple(Text(rule) for rule in rules.RULES))
