"""What the parts of a study cost and show, so that seeds, targets, arms and rungs can be traded before anything runs. A
study, a price and an earlier study go in; tables in words come out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from xlt_utils.errors import Fault
from xlt_utils.formatting import aligned, count_of, duration, number_text, short_size
from xlt_utils.pipeline.planning.pilot import Pilot, pairs_of
from xlt_utils.study.schema import Study

ENOUGH_SEEDS = 5  # a suggestion drops no more once so many fit; an interval of three is twice as wide
Price = Callable[[Study], float]  # the core seconds of one seed


class NothingFits(Fault):
    """A budget below the price of one seed of the smallest study."""


@dataclass(frozen=True)
class Part:
    """A part of a study that it could do without: what it is, and the study `without` it."""

    kind: str
    name: str
    without: Study


def prices_text(study: Study, price: Price, earlier: Pilot | None) -> str:
    """What a seed costs, and how much less without each part, beside the gains that the study could see with it.

    Args:
        study: the study.
        price: the core seconds of one seed of a study.
        earlier: the study that tells the noise; None: no gain is stated.
    """
    whole = price(study)
    lines = [f"one seed takes {duration(whole)} of core time, so much less without"]
    table = [
        (f"{part.kind} {part.name}", duration(max(0.0, whole - price(part.without))), _visible(part, study, earlier))
        for part in parts(study)
    ]
    return "\n".join([*lines, *(aligned(table) if table else ["  nothing: it has one target and one arm"])])


def budget_text(study: Study, price: Price, seconds: float, earlier: Pilot | None) -> str:
    """The seeds that fit into a budget, for the study as it stands and then without its dearest targets and arms, one
    after another, until ENOUGH_SEEDS fit.

    Args:
        study: the study.
        price: the core seconds of one seed of a study.
        seconds: of core time, all jobs together.
        earlier: as in `prices_text`.

    Raises:
        NothingFits: not one seed of the smallest.
    """
    rows, left, dropped = [], study, "the study as it stands"
    while True:
        seeds = int(seconds / price(left))
        rows.append((seeds, dropped, _range(left, seeds, earlier)))
        droppable = [part for part in parts(left) if part.kind in ("target", "arm")]
        if seeds >= ENOUGH_SEEDS or not droppable:
            break
        dearest = min(droppable, key=lambda part: price(part.without))
        left, dropped = dearest.without, f"then without {dearest.kind} {dearest.name}"
    if not rows[-1][0]:
        raise NothingFits(
            f"--budget: {duration(seconds)} of core time do not hold one seed of the smallest study, "
            f"{left.target.tasks[0]} after {count_of(len(left.intermediate.arms), 'arm')}: {duration(price(left))}"
        )
    lines = [f"what fits into {duration(seconds)} of core time"]
    lines += aligned([(count_of(seeds, "seed"), name, shown) for seeds, name, shown in rows])
    lines.append("a suggestion: what to drop is a question of what the study asks, and rungs and examples count too")
    return "\n".join(lines)


def parts(study: Study) -> Iterator[Part]:
    """The parts that a study could do without: targets and arms while two are left, and rungs that are neither the
    smallest nor the largest."""
    target, phase, text = study.target, study.intermediate, study.pretrain
    if len(target.tasks) > 1:
        for name in target.tasks:
            yield Part("target", name, _without_target(study, name))
    if len(phase.arms) > 1:
        for arm in phase.arms:
            arms = [other for other in phase.arms if other != arm]
            yield Part("arm", arm.name, _changed(study, "intermediate", arms=arms))
    for tokens in (text.tokens or [])[1:-1]:
        rungs = [rung for rung in text.tokens or [] if rung != tokens]
        yield Part("rung P =", short_size(tokens), _changed(study, "pretrain", tokens=rungs))
    for examples in phase.examples[1:-1]:
        rungs = [rung for rung in phase.examples if rung != examples]
        yield Part("rung I =", short_size(examples), _changed(study, "intermediate", examples=rungs))


def _without_target(study: Study, name: str) -> Study:
    tasks = [task for task in study.target.tasks if task != name]
    arms = [
        arm.model_copy(update={"targets": [task for task in arm.targets if task != name]}) if arm.targets else arm
        for arm in study.intermediate.arms
    ]
    return _changed(_changed(study, "target", tasks=tasks), "intermediate", arms=arms)


def _changed(study: Study, section: str, **fields: list) -> Study:
    return study.model_copy(update={section: getattr(study, section).model_copy(update=fields)})


def _visible(part: Part, study: Study, earlier: Pilot | None) -> str:
    """The gains that the pairs of this part could show."""
    if part.kind not in ("target", "arm"):
        return ""
    return _range(study, len(study.seeds), earlier, part.name)


def _range(study: Study, seeds: int, earlier: Pilot | None, of: str = "") -> str:
    """The smallest gains that so many seeds could show, from the best pair to the worst, `of` one target or arm."""
    if earlier is None or seeds < 2:
        return ""
    powers = (earlier.power(*pair, seeds) for pair in pairs_of(study) if not of or of in pair)
    visible = [power.visible for power in powers if power]
    if not visible:
        return "visible gain not known"
    ends = dict.fromkeys((number_text(min(visible)), number_text(max(visible))))
    return f"visible gain {' to '.join(ends)}"
