"""What the arms of phase 2 were trained on: intermediate tasks, tasks mixed with masked LM, translated tasks, or a
control, which takes the same steps with nothing to learn. The parameters of phase 2's runs go in, `Arm`s come out;
an arm's name says nothing here."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Arm:
    """One experimental condition of phase 2. `tasks` are sorted; an arm whose runs do not record them has `is_known`
    False and counts neither as a task nor as a control."""

    name: str
    tasks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)
    labels: str = "given"
    mlm_share: float = 0.0
    sampling: str = ""
    learning_rate: float | None = None
    is_known: bool = True

    @property
    def is_shuffled(self) -> bool:
        return self.is_known and bool(self.tasks) and self.labels == "shuffled"

    @property
    def is_text_alone(self) -> bool:
        """Masked LM and no task."""
        return self.is_known and not self.tasks

    @property
    def is_control(self) -> bool:
        return self.is_shuffled or self.is_text_alone

    @property
    def is_translated(self) -> bool:
        return bool(self.tasks) and any(language != "en" for language in self.languages)

    @property
    def is_english(self) -> bool:
        """English tasks with their own labels and no masked LM: the parent study's arms."""
        return self.is_known and not (self.is_control or self.is_translated or self.mlm_share)

    @property
    def kind(self) -> str:
        """What the arm was trained on, in words."""
        if not self.is_known:
            return "not known: none of its runs records its tasks"
        if self.is_text_alone:
            return "control: masked LM alone"
        tasks = ", ".join(self.tasks) if len(self.tasks) < 4 else f"{len(self.tasks)} tasks"
        mixture = f", masked LM in {self.mlm_share:.0%} of the steps" if self.mlm_share else ""
        translated = f", in {len(self.languages)} languages" if self.is_translated else ""
        control = "control: labels shuffled, " if self.is_shuffled else ""
        return f"{control}{tasks}{translated}{mixture}"

    def controls(self, others: Iterable["Arm"]) -> list["Arm"]:
        """The controls that take this arm's steps: its own tasks with shuffled labels, and masked LM alone."""
        if self.is_control or not self.is_known:
            return []
        others = list(others)
        shuffled = [other for other in others if other.is_shuffled and self._shares_all_but_labels(other)]
        return shuffled + [other for other in others if other.is_text_alone]

    def _shares_all_but_labels(self, other: "Arm") -> bool:
        return (self.tasks, self.languages, self.mlm_share) == (other.tasks, other.languages, other.mlm_share)


def arms_from_parameters(parameters: Iterable[dict[str, Any]], names: Iterable[str] = ()) -> dict[str, Arm]:
    """The arms by name.

    Args:
        parameters: those of phase 2's runs.
        names: arms that must be in the result; one that no run has gets `is_known` False.

    Raises:
        ValueError: runs of one arm were trained on different things, and their mean would pass for one arm's.
    """
    arms: dict[str, Arm] = {}
    for run in parameters:
        arm = _arm_of_run(run)
        first = arms.setdefault(arm.name, arm)
        if first != arm:
            raise ValueError(f"runs of the arm {arm.name} differ: {first.kind} and {arm.kind}; keep one")
    unknown = {name: Arm(name, is_known=False) for name in set(names) - set(arms) - {""}}
    return dict(sorted((arms | unknown).items()))


def _arm_of_run(run: dict[str, Any]) -> Arm:
    if "tasks" not in run:
        return Arm(run["arm"], is_known=False)
    sampling = run.get("sampling") or {}
    return Arm(
        run["arm"],
        tuple(sorted(run["tasks"])),
        tuple(run.get("languages") or ["en"]),
        run.get("labels", "given"),
        float(run.get("mlm_share", 0.0)),
        ", ".join(f"{name} {value}" for name, value in sorted(sampling.items())) if len(run["tasks"]) > 1 else "",
        run.get("learning_rate"),
    )
