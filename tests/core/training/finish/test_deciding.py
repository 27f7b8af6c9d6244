"""Whether a machine may be stopped: every combination of what can be the matter."""

from dataclasses import replace
from itertools import product

import pytest

from core.base.errors import ConfigError
from core.training.finish.deciding import Facts, ended_well, wanted_act, why_not
from core.training.finish.settings import FinishSettings
from tests.core.training.finish.ended import settings

GOOD = Facts(end="done", unverified=False, final_verified=True, stop_keeps=True)


def allowed(chosen, facts):
    act = wanted_act(chosen, facts)
    return act if not why_not(act, chosen, facts) else ""


def test_a_good_end_with_everything_verified_allows_what_was_chosen():
    for then in ("stop", "destroy"):
        assert allowed(settings(then=then), GOOD) == then
    assert allowed(settings(), GOOD) == ""


@pytest.mark.parametrize("change", [{"kept_on": True}, {"went_on": True}, {"machine_lacks": "no key"}, {"unverified": True}])
@pytest.mark.parametrize("then", ["stop", "destroy"])
def test_each_doubt_keeps_the_machine_on(then, change):
    assert allowed(settings(then=then), replace(GOOD, **change)) == ""


def test_no_combination_of_facts_destroys_without_the_finished_lora_at_the_far_end():
    flags = ("by_limit", "asked_after", "unverified", "final_verified", "stop_keeps", "kept_on", "went_on")
    for end, unsaved, lose, failure in product(("done", "failed", "cancelled", "lost", "running"), ((), ("other",)), (False, True),
                                               ("leave", "stop")):
        for values in product((False, True), repeat=len(flags)):
            facts = Facts(end=end, unsaved=unsaved, **dict(zip(flags, values, strict=True)))
            for then in ("stop", "destroy"):
                act = allowed(settings(then=then, lose_the_rest=lose, after_failure=failure), facts)
                if act:
                    assert not (facts.kept_on or facts.went_on or facts.unverified)
                if act == "destroy" or (act == "stop" and not facts.stop_keeps):
                    assert ended_well(facts) and facts.final_verified and (not unsaved or lose)
                if end in ("failed", "lost") and act:
                    assert act == "stop" and failure == "stop" and facts.stop_keeps


def test_a_stop_that_empties_the_disk_is_as_careful_as_destroying():
    emptied = replace(GOOD, stop_keeps=False)
    assert allowed(settings(then="stop"), emptied) == "stop"
    assert allowed(settings(then="stop"), replace(emptied, final_verified=False)) == ""
    assert allowed(FinishSettings(then="stop", countdown=60), replace(emptied, final_verified=False)) == ""
    assert allowed(FinishSettings(then="stop", countdown=60), replace(GOOD, final_verified=False)) == "stop"


def test_other_runs_that_would_be_lost_keep_the_machine_until_that_is_allowed():
    facts = replace(GOOD, unsaved=("20240101-dogs",))
    assert "20240101-dogs" in why_not("destroy", settings(then="destroy"), facts)
    assert allowed(settings(then="destroy", lose_the_rest=True), facts) == "destroy"
    assert allowed(settings(then="stop"), facts) == "stop"


def test_a_run_that_was_stopped_by_hand_leaves_the_machine_on_but_one_that_a_limit_stopped_does_not():
    chosen = settings(then="stop", after_failure="stop")
    stopped = replace(GOOD, end="cancelled")
    assert allowed(chosen, stopped) == "" and why_not("nothing", chosen, stopped) == "The run was stopped by hand."
    assert allowed(chosen, replace(stopped, by_limit=True)) == "stop" == allowed(chosen, replace(stopped, asked_after=True))


def test_what_cannot_be_safe_is_refused_when_it_is_chosen():
    with pytest.raises(ConfigError, match="Destroying the machine loses"):
        FinishSettings.make(then="destroy")
    with pytest.raises(ConfigError, match="Destroying the machine loses"):
        FinishSettings.make(then="destroy", repo_id="me/cats", upload_lora=False)
    with pytest.raises(ConfigError, match="Countdown must be at least 60, but is 5"):
        FinishSettings.make(countdown=5)
    with pytest.raises(ConfigError, match=r"owner/name, or a name alone, .*; '\.\./x' is not"):
        FinishSettings.make(repo_id="../x")
    assert FinishSettings.make(repo_id="https://huggingface.co/me/cats/").repo_id == "me/cats"
