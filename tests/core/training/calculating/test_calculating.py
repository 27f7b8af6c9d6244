"""The calculator: what it says is what the trainers' own counting says, there and back."""

import random

import pytest

from core.base.errors import ConfigError
from core.dataset.project import Project
from core.training.calculating.back import nearest
from core.training.calculating.counted import Basis, Calculator, shapes_of
from core.training.calculating.settings import CalculateSettings
from core.training.calculating.stage import calculate, no_basis
from core.training.config import TrainingSettings
from core.training.config.counting import count_steps
from core.training.finish.kept import keep_finish
from core.training.finish.settings import FinishSettings
from core.training.kept import keep_settings, read_kept
from core.training.loading import LoadSettings, NoSettings
from core.training.manager import TrainingManager
from core.training.measuring.marks import marks_of
from core.training.measuring.measured import keep_measured
from core.training.preflight.buckets import plan_buckets
from core.training.preflight.pictures import pictures_of
from tests.core.training.measuring.test_outlook import UNITS, measured
from tests.tiny_models import make_pictures


def asked(**values):
    return CalculateSettings.make(**values)


def typed(**values):
    return calculate(no_basis(), asked(**values))


def amounts(report):
    return {line.what: line.value for line in report.lines}


def sums(report):
    return {line.what: line.how for line in report.lines}


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "p", "p", trigger="mychar")
    make_pictures(made.images, [(512, 512)] * 5 + [(640, 448)] * 3 + [(448, 704)])
    return made


def test_a_usual_training_is_worked_out_and_each_sum_is_told():
    report = typed(images=[20], num_repeats=[10], max_train_epochs=10, batch_size=4, seconds_per_step=1.5, price_per_hour=0.4)
    assert amounts(report) == {
        "Pictures of an epoch": "200", "Batches of an epoch": "50", "Steps of an epoch": "50", "Steps in all": "500",
        "Each picture is seen": "100 times", "LoRA files saved": "10", "Time": "about 12 min", "Price": "about 0.08"}
    told = sums(report)
    assert told["Pictures of an epoch"] == "Pictures × repeats: 20 × 10 = 200. An epoch goes through all of them once."
    assert told["Batches of an epoch"] == "200 pictures ÷ 4 in a batch." and told["Steps in all"] == "50 steps × 10 epochs."
    assert told["Time"] == "500 steps × 1.5 s (as typed) = 12 min." and told["Price"] == "0.208 hours × 0.4 an hour."
    assert report.headline() == "500 steps in 10 epochs, about 12 min, about 0.08." and report.notes == ()


def test_what_is_rounded_is_said():
    report = typed(images=[7], num_repeats=[3], batch_size=4, gradient_accumulation_steps=4, num_processes=2, max_train_epochs=1)
    told = sums(report)
    assert told["Batches of an epoch"] == "21 pictures ÷ 4 in a batch, rounded up: the last one has 1."
    assert told["Steps of an epoch"] == "6 batches ÷ 2 GPUs = 3 for each. 3 batches ÷ 4 that are added up for a step, rounded up: " \
                                        "the last step of an epoch has 3."
    assert told["Pictures of a step"] == "4 in a batch × 2 GPUs × 4 added up (the effective batch)."
    assert amounts(report)["Steps in all"] == "1" and told["Steps in all"] == "1 step × 1 epoch."


def test_a_length_in_steps_ends_within_an_epoch():
    report = typed(images=[10], num_repeats=[1], batch_size=1, max_train_steps=25)
    assert sums(report)["Steps in all"] == "As asked. That is 3 epochs; the last epoch ends after 5 of its 10 steps."
    assert amounts(report)["Each picture is seen"] == "about 2.5 times"


def test_folders_regularisation_and_validation_count_as_in_a_training():
    report = typed(images=[10, 4], num_repeats=[5, 20], regularisation_images=30, validation_split=0.2, batch_size=3, max_train_epochs=2)
    settings = TrainingSettings().with_values(
        data={"subsets": [{"image_dir": "/a", "num_repeats": 5}, {"image_dir": "/b", "num_repeats": 20},
                          {"image_dir": "/r", "is_reg": True}], "batch_size": 3, "validation_split": 0.2}, schedule={"max_train_epochs": 2})
    assert report.plan.totals == count_steps(settings, [10, 4, 30])
    told = sums(report)["Pictures of an epoch"]
    assert "8 × 5 + 4 × 20 = 120." in told and "2 pictures of 14 are kept for validation" in told
    assert "As many regularisation pictures come beside them: 120" in told
    assert amounts(report)["Each picture is seen"] == "10 to 40 times"


def test_a_projects_pictures_are_counted_with_their_shapes_as_the_check_does(project):
    manager = TrainingManager.open(project.folder)
    for wanted in (asked(), asked(batch_size=4, num_repeats=[3]), asked(batch_size=3, gradient_accumulation_steps=2, num_processes=2),
                   asked(validation_split=0.3, batch_size=2)):
        report = manager.calculate(wanted)
        plan = plan_buckets(report.plan.settings, pictures_of(report.plan.settings.data.subsets))
        assert report.plan.totals == plan.totals and list(report.plan.buckets) == list(plan.buckets.values())
    assert sums(manager.calculate(asked(batch_size=4, num_repeats=[3])))["Batches of an epoch"].endswith(
        "3 ÷ 4 + 15 ÷ 4 + 9 ÷ 4 = 1 + 4 + 3. 3 of 8 are not full.")


def test_sizes_are_read_again_only_where_pictures_came_or_find_others(project):
    manager = TrainingManager.open(project.folder)
    first = manager.basis()
    assert manager.basis(before=first).shapes is first.shapes and first.shapes
    other = manager.basis(manager.settings().with_values(data={"resolution": 256, "max_bucket_reso": 512}), first)
    assert other.shapes != first.shapes
    make_pictures(project.images, [(300, 900)] * 12)  # the first nine are written over
    after = manager.basis(before=first)
    assert len(after.shapes[0]) == 12 and set(after.shapes[0]) != set(first.shapes[0])


@pytest.mark.slow
def test_any_settings_count_as_plan_buckets_does(tmp_path):
    chance, folders = random.Random(7), []
    for number in range(3):
        folders.append(tmp_path / f"f{number}")
        folders[-1].mkdir()
        make_pictures(folders[-1], [chance.choice([(512, 512), (512, 768), (900, 400)]) for _ in range(chance.randint(1, 9))])
    for _ in range(40):
        subsets = [{"image_dir": str(folder), "num_repeats": chance.randint(1, 7), "is_reg": number == 2 and chance.random() < 0.5}
                   for number, folder in enumerate(folders)]
        settings = TrainingSettings().with_values(
            data={"subsets": subsets, "batch_size": chance.randint(1, 6), "validation_split": chance.choice([0, 0.25])},
            schedule={"max_train_epochs": chance.randint(1, 9), "gradient_accumulation_steps": chance.randint(1, 4)},
            machines={"num_processes": chance.randint(1, 3)})
        pictures = pictures_of(settings.data.subsets)
        counted = Calculator(Basis(settings, tuple(map(len, pictures)), shapes_of(settings)), asked()).plan
        plan = plan_buckets(settings, pictures)
        assert counted.totals == plan.totals and list(counted.buckets) == list(plan.buckets.values())


@pytest.mark.parametrize("seed", range(12))
def test_back_from_what_a_plan_comes_to_hits_it(seed):
    chance = random.Random(seed)
    images = [chance.randint(1, 60) for _ in range(chance.randint(1, 3))]
    values = {"images": images, "num_repeats": [chance.randint(1, 12) for _ in images], "batch_size": chance.randint(1, 9),
              "max_train_epochs": chance.randint(1, 30), "gradient_accumulation_steps": chance.randint(1, 4),
              "num_processes": chance.randint(1, 3), "regularisation_images": chance.choice([0, 13]), "seconds_per_step": 0.7,
              "price_per_hour": 0.5}
    plan = typed(**values).plan
    for target, goal in (("steps", plan.totals.steps), ("seen", plan.seen[0]), ("hours", plan.seconds / 3600 + 1e-9),
                         ("price", plan.price + 1e-9)):
        report = typed(**values, target=target, goal=goal)
        assert abs(report.offers[0].off) < 1e-4, target
        assert any(offer.max_train_epochs == values["max_train_epochs"] and not offer.num_repeats for offer in report.offers), target
        for offer in report.offers:  # what an offer says is what its numbers come to
            changed = {**values, **{name: value for name, value in offer.values.items() if value}}
            if not offer.max_train_epochs:
                changed.pop("max_train_epochs")
            assert typed(**changed).plan.totals == offer.plan.totals
            if target in ("hours", "price"):
                assert offer.plan.seconds <= plan.seconds + 1e-4


def test_the_nearest_is_found_among_odd_numbers():
    report = typed(images=[17], num_repeats=[6], batch_size=5, max_train_epochs=10, target="steps", goal=1000)
    by_hand = {offer.what: (offer.plan.totals.steps, offer.told()["Compared with the target"]) for offer in report.offers}
    assert report.plan.totals.steps_per_epoch == 21
    assert by_hand["1,000 steps instead of epochs"] == (1000, "exactly") and by_hand["48 epochs"] == (1008, "0.8 % more")
    assert by_hand["29 repeats"] == (990, "1 % less") and by_hand["7 epochs, 42 repeats"] == (1001, "0.1 % more")
    assert report.target == "1,000 steps"


@pytest.mark.parametrize("goal", [1, 7, 20.5, 99, 1234.5])
def test_nearest_is_what_trying_all_finds(goal):
    def measure(number):
        return 3 * (number // 2) + 2

    wanted = min(range(1, 1001), key=lambda number: (abs(measure(number) - goal), measure(number) > goal, number))
    assert nearest(measure, goal, 1000) == wanted
    below = [number for number in range(1, 1001) if measure(number) <= goal]
    most = nearest(measure, goal, 1000, is_most=True)
    assert (most is None) if not below else (measure(most) == measure(below[-1]))


def test_a_target_below_one_epoch_is_said():
    report = typed(images=[100], num_repeats=[10], batch_size=1, target="steps", goal=300)
    assert "less than one epoch with these repeats, which has 1,000 steps: lower the repeats" in report.notes[0]
    assert any(offer.num_repeats for offer in report.offers)


def test_a_budget_that_buys_no_step_is_said():
    report = typed(images=[5], seconds_per_step=100, target="hours", goal=0.01)
    assert report.offers == () and report.notes == ("Even one step takes about 2 min, more than at most 0.01 hours allow.",)


def test_a_target_that_cannot_be_worked_out_leaves_the_rest_standing():
    for values, words in (({"target": "steps"}, "How much it is to come to is not said yet."),
                          ({"target": "hours", "goal": 2}, "How long a step takes is not known yet."),
                          ({"target": "price", "goal": 2, "seconds_per_step": 1}, "The price of an hour is not known yet.")):
        report = typed(images=[10], **values)
        assert report.notes[0].startswith(words) and report.lines and not report.offers


def test_bad_input_is_told_in_words():
    with pytest.raises(ConfigError, match="There are no pictures to calculate with"):
        calculate(no_basis(), asked())
    with pytest.raises(ConfigError, match="Pictures must be numbers from 1 to 1,000,000, but one is 0"):
        asked(images=[0])
    with pytest.raises(ConfigError, match="There are 3 numbers of repeats, but 2 folders"):
        typed(images=[1, 2], num_repeats=[1, 2, 3])
    report = typed(images=[3], num_repeats=[1], batch_size=8)
    assert "The batch of 8 is larger than the 3 pictures of an epoch" in report.notes[0]
    assert sums(report)["Batches of an epoch"] == "All 3 are in one batch, which has room for 8."


def test_time_is_that_of_the_projects_own_measurement(project):
    manager = TrainingManager.open(project.folder)
    settings = manager.basis().settings
    buckets = tuple(plan_buckets(settings, pictures_of(settings.data.subsets)).buckets.values())
    keep_measured(measured(marks=marks_of(settings, "builtin"), buckets=buckets), project)
    report = manager.calculate(asked())
    steps = report.plan.totals.steps
    assert "(measured " in sums(report)["Time"] and report.plan.expected.step == UNITS.step
    assert report.plan.seconds == pytest.approx(manager.measurement(settings).seconds)
    assert report.plan.seconds > steps * UNITS.step
    assert "(measured " not in sums(manager.calculate(asked(batch_size=5)))["Time"]  # of another batch nothing was measured


def test_the_price_of_an_hour_is_the_one_that_was_told(project):
    keep_finish(project.folder, FinishSettings(price_per_hour=0.5))
    report = TrainingManager.open(project.folder).calculate(asked(seconds_per_step=3.6))
    assert report.plan.price == pytest.approx(report.plan.totals.steps * 0.0005)


def test_numbers_are_taken_into_the_settings_and_back(project):
    manager = TrainingManager.open(project.folder)
    report = manager.calculate(asked(num_repeats=[7], max_train_epochs=3, batch_size=5, take=True))
    assert report.taken == "Taken into the settings: Repeats 23 → 7, Batch size 2 → 5 and Epochs 10 → 3."
    kept = read_kept(project)
    assert (kept.data.num_repeats, kept.data.subsets[0].num_repeats, kept.schedule.max_train_epochs, kept.data.batch_size) == (7, 7, 3, 5)
    assert manager.calculate(asked()).plan.totals == report.plan.totals
    with pytest.raises(ConfigError, match="None of these numbers differs"):
        manager.calculate(asked(batch_size=5, take=True))
    with pytest.raises(ConfigError, match="2 numbers of repeats, but 1 folders"):
        manager.take_calculated(asked(num_repeats=[1, 2]))
    manager.settings_back(NoSettings())
    assert read_kept(project).schedule.max_train_epochs == 10 and read_kept(project).data.num_repeats is None


def test_numbers_for_typed_pictures_tell_what_they_come_to_with_the_projects_own(project):
    manager = TrainingManager.open(project.folder)
    own = sum(manager.basis().counts)
    report = manager.calculate(asked(images=[own + 20], num_repeats=[10], max_train_epochs=30, batch_size=2))
    assert report.plan.totals.steps == (own + 20) * 10 // 2 * 30
    assert f"With your project's own {own} pictures these numbers give {report.own.totals.steps:,} steps in 30 epochs" in report.sentence()
    taken = manager.calculate(asked(images=[own + 20], num_repeats=[10], max_train_epochs=30, batch_size=2, take=True))
    assert manager.calculate(asked()).plan.totals == taken.own.totals and taken.own_words() in taken.sentence()
    assert manager.calculate(asked(images=[own])).own_words() == ""
    assert "do not fit your project's own pictures" in manager.calculate(asked(images=[3, 4], num_repeats=[1, 2])).sentence()


def test_numbers_that_were_taken_are_taken_back_unless_the_settings_changed_since(project):
    manager = TrainingManager.open(project.folder)
    before = manager.settings()
    manager.calculate(asked(max_train_epochs=3, take=True))
    manager.calculate(asked(batch_size=5, take=True))
    assert manager.calculated_back().what == "The former numbers are back: Batch size 5 → 2."
    with pytest.raises(ConfigError, match="No numbers of the calculator"):
        manager.calculated_back()  # one step; what was before is a loading of its own
    manager.calculate(asked(batch_size=5, take=True))
    keep_settings(read_kept(project).with_values(optimizer={"learning_rate": 3e-5}), project)
    with pytest.raises(ConfigError, match="or the settings were changed since"):
        manager.calculated_back()
    assert read_kept(project).data.batch_size == 5 and before.data.batch_size == 2


def test_what_was_loaded_meanwhile_is_not_brought_back_as_the_former_numbers(project):
    manager = TrainingManager.open(project.folder)
    manager.calculate(asked(max_train_epochs=3, take=True))
    manager.load_settings(LoadSettings(preset="sd15_concept"))
    manager.settings_back(NoSettings())  # the calculator's numbers stand there again, and the preset beside them
    taken = read_kept(project)
    with pytest.raises(ConfigError, match="No numbers of the calculator"):
        manager.calculated_back()
    assert read_kept(project) == taken


def test_what_stands_there_already_is_one_way_and_called_so():
    report = typed(images=[20], num_repeats=[10], batch_size=2, max_train_epochs=30, target="steps", goal=3000)
    told = [offer.told() for offer in report.offers]
    assert [row["Change"] for row in told] == ["30 epochs, as it is", "3,000 steps instead of epochs"]
    assert [offer.is_present for offer in report.offers] == [True, False]
