"""What the parts of a study cost, and which seeds fit into a budget."""

import re

import pytest
import simulated
from machine_speed import MEASURED
from small_study import GOOD, load

from xlt_utils.pipeline.planning import pilot, plan, trade


@pytest.fixture
def study(tmp_path):
    arms = "arms: [{name: mnli, tasks: [mnli]}, {name: qqp, tasks: [qqp], targets: [sst, udpos]}]"
    text = GOOD.replace("arms: [{name: mnli, tasks: [mnli]}]", arms).replace("[512, 4096]", "[512, 1024, 4096]")
    return load(tmp_path, text.replace("tasks: [sst, xnli, udpos]", "tasks: [sst, udpos]"))


@pytest.fixture(scope="module")
def earlier(tmp_path_factory):
    folder = tmp_path_factory.mktemp("earlier") / "earlier"
    simulated.study(folder, seeds=(0, 1, 2, 3), tasks=("sst", "udpos"), truth=simulated.scattered, notebooks=False)
    return pilot.read_pilot(folder)


def price(study):
    return plan.seed_seconds(study, "nowhere", MEASURED)


def test_each_target_arm_and_inner_rung_could_go_and_saves_its_price(study):
    could_go = {f"{part.kind} {part.name}": price(study) - price(part.without) for part in trade.parts(study)}
    assert set(could_go) == {"target sst", "target udpos", "arm mnli", "arm qqp", "rung P = 100k", "rung I = 1024"}
    assert all(0 < saved < price(study) for saved in could_go.values())
    assert could_go["arm mnli"] == could_go["arm qqp"]  # of the same sizes, tested on the same targets


def test_a_seed_costs_the_same_however_many_there_are(study):
    assert price(study) == price(study.model_copy(update={"seeds": [3, 4, 5]}))


def test_prices_stand_beside_the_gains_that_could_be_seen(study, earlier):
    alone, beside = trade.prices_text(study, price, None), trade.prices_text(study, price, earlier)
    assert "visible" not in alone and "visible gain not known" in beside  # of qqp
    line = next(line for line in beside.splitlines() if "target udpos" in line)
    visible = earlier.power("udpos", "mnli", 2).visible
    assert float(re.search("visible gain (\\S+)", line)[1]) == pytest.approx(visible, abs=0.005)


def test_a_budget_names_what_to_drop_until_five_seeds_fit(study, earlier):
    rows = trade.budget_text(study, price, 3.5 * price(study), earlier).splitlines()
    assert rows[1].split()[:2] == ["3", "seeds"] and "as it stands" in rows[1] and "visible gain" in rows[1]
    assert "then without" in rows[2] and int(rows[-2].split()[0]) >= trade.ENOUGH_SEEDS
    whole = trade.budget_text(study, price, 8.5 * price(study), earlier).splitlines()
    assert whole[1].split()[:2] == ["8", "seeds"] and len(whole) == 3


def test_a_budget_below_one_seed_is_refused(study):
    with pytest.raises(trade.NothingFits, match="--budget: 5 s of core time do not hold one seed of the smallest"):
        trade.budget_text(study, price, 5, None)
