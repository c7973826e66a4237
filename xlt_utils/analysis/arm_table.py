"""What an arm was trained on, told by the parameters of its runs and never by its name: intermediate tasks, tasks
beside masked LM or in translation, or a control, the same steps with nothing to learn. In go parameters of phase 2,
out come `Arm`s; who speaks of intermediate tasks asks `is_control` first."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Arm:
    """One experimental condition of phase 2. `tasks` are sorted; an arm whose runs do not tell them has `is_known`
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
        """English examples of tasks with their own labels and nothing beside them: the parent study's arms."""
        return self.is_known and not (self.is_control or self.is_translated or self.mlm_share)

    @property
    def kind(self) -> str:
        """What it is, in words."""
        if not self.is_known:
            return "not known: no run of it tells its tasks"
        if self.is_text_alone:
            return "control: masked LM alone"
        named = ", ".join(self.tasks) if len(self.tasks) < 4 else f"{len(self.tasks)} tasks"
        beside = f", masked LM in {self.mlm_share:.0%} of the steps" if self.mlm_share else ""
        translated = f", in {len(self.languages)} languages" if self.is_translated else ""
        lead = "control: labels shuffled, " if self.is_shuffled else ""
        return f"{lead}{named}{translated}{beside}"

    def controls(self, others: Iterable["Arm"]) -> list["Arm"]:
        """The controls that take this arm's steps: its own tasks with shuffled labels, and masked LM alone."""
        if self.is_control or not self.is_known:
            return []
        same = [one for one in others if one.is_shuffled and self._shares_all_but_labels(one)]
        return same + [one for one in others if one.is_text_alone]

    def _shares_all_but_labels(self, other: "Arm") -> bool:
        names = ("tasks", "languages", "mlm_share")
        return all(getattr(self, name) == getattr(other, name) for name in names)


def arms_by_name(parameters: Iterable[dict[str, Any]], named: Iterable[str] = ()) -> dict[str, Arm]:
    """The arms by name, from the parameters of phase 2's runs; those `named` that no run tells are not known.

    Raises ValueError when runs of one arm were trained on different things: their mean would pass for one arm's.
    """
    found: dict[str, Arm] = {}
    for given in parameters:
        arm = _arm(given)
        before = found.setdefault(arm.name, arm)
        if before != arm:
            raise ValueError(f"runs of the arm {arm.name} differ: {before.kind} and {arm.kind}; keep one")
    unknown = {name: Arm(name, is_known=False) for name in sorted(set(named) - set(found) - {""})}
    return dict(sorted((found | unknown).items()))


def _arm(given: dict[str, Any]) -> Arm:
    if "tasks" not in given:
        return Arm(given["arm"], is_known=False)
    sampling = given.get("sampling") or {}
    return Arm(
        given["arm"],
        tuple(sorted(given["tasks"])),
        tuple(given.get("languages") or ["en"]),
        given.get("labels", "given"),
        float(given.get("mlm_share", 0.0)),
        ", ".join(f"{name} {value}" for name, value in sorted(sampling.items())) if len(given["tasks"]) > 1 else "",
        given.get("learning_rate"),
    )
