"""Bulk by size: the plan says what is then done, to the pixel; what is done already is not done again."""

import pytest
from PIL import Image

from core.base.errors import Cancelled, ConfigError
from core.base.progress import Progress
from core.dataset.images.bench import look_at_picture
from core.dataset.images.by_size import OWN, BySizeSettings, plan_by_size, work_by_size
from core.dataset.images.manager import ImagesManager
from core.dataset.images.resizing import ResizeSettings, make_resizer, resize_images, resized
from core.dataset.images.tool import Output, Tool
from core.dataset.images.variants import read_made, save_variant
from core.dataset.images.working import work_on
from core.models.warm import WARM
from core.stages import run_stage
from tests.tiny_upscalers import make_compact, save_network

SIZES = {"small.png": (60, 90), "just.png": (150, 300), "middle.png": (200, 210), "edge.png": (400, 250), "large.jpg": (300, 1000)}
LIMITS = {"small": 150, "large": 250, "target": 200}
ALL = ("upscale", "resize", "mask", "transparent")


class Enlarger(Tool):
    """Upscales plainly."""

    name, verb, kind = "upscale", "Upscaling", "upscaled"

    def __init__(self, side):
        self.side = side

    def told(self, work):
        return {"side": self.side}

    def prepare(self, work, decoded):
        scale = self.side / min(decoded.image.size)
        return decoded.image.resize([round(side * scale) for side in decoded.image.size])

    def finish(self, work, prepared, result):
        return [Output(prepared)]


class Masker(Tool):
    """Everything counts, but nothing is told apart in a picture called middle."""

    name, verb, kind = "mask", "Masking", "mask"

    def told(self, work):
        return {}

    def prepare(self, work, decoded):
        return Image.new("L", decoded.image.size, 255) if work.unit.item.id != "middle" else None

    def finish(self, work, prepared, result):
        return [Output(prepared)]


@pytest.fixture
def pictures(project):
    for name, size in SIZES.items():
        Image.effect_noise(size, 60).convert("RGB").save(project.images / name)
    return project


def settings(**values):
    return BySizeSettings.make(**{**LIMITS, **values})


def run_in(project, ran=None):
    def run(tool, values, images, progress):
        if ran is not None:
            ran.append((tool, sorted(images), dict(values)))
        made = {"upscale": lambda: Enlarger(values["side"]), "mask": Masker,
                "resize": lambda: make_resizer(project, ResizeSettings.make(**values))}
        chosen = made[tool]()
        chosen.undoes = OWN
        return work_on(project, chosen, images, progress)
    return run


def do(project, ran=None, progress=None, **values):
    wanted = settings(**values)
    return work_by_size(wanted, plan_by_size(project, wanted, ALL), run_in(project, ran), progress or Progress())


def test_the_plan_says_what_becomes_of_each_picture(pictures):
    plan = plan_by_size(pictures, settings(), ALL)
    assert {row.name: (row.action, row.goal) for row in plan.rows} == {
        "small.png": ("upscale", (200, 300)), "just.png": ("pass", (150, 300)), "middle.png": ("pass", (200, 210)),
        "edge.png": ("pass", (400, 250)), "large.jpg": ("resize", (200, 667))}
    assert plan.sentence().startswith("5 pictures: 1 upscaled, 3 stay, 1 shrunk. About ") and plan.refused == ()
    own = (pictures.images / "small.png").stat().st_size * 200 * 300 / (60 * 90) \
        + (pictures.images / "large.jpg").stat().st_size * 200 * 667 / (300 * 1000)
    assert plan.bytes == pytest.approx(own, rel=0.01) and 0 < plan.seconds < 60 and plan.free > 0


def test_what_is_done_is_what_was_planned(pictures):
    ran = []
    report = do(pictures, ran, then="mask")
    assert [(tool, images) for tool, images, _ in ran] == [("upscale", ["small"]), ("resize", ["large"]),
                                                          ("mask", ["edge", "just", "large", "middle", "small"])]
    for row in report.plan.rows:
        step = {"upscale": "upscaled", "resize": "resized"}.get(row.action)
        assert step is None or Image.open(next(pictures.variants.glob(f"{row.id}_{step}.*"))).size == row.goal
    table = {row["picture"]: row for row in report.table()}
    assert table["small.png"] == {"picture": "small.png", "size": "60 x 90", "plan": "upscale", "Upscale": "small_upscaled.png, 200 x 300",
                                  "Shrink": "", "Mask": "small_mask.png, 200 x 300"}
    assert table["middle.png"]["Mask"] == "needed none" and table["large.jpg"]["Shrink"] == "large_resized.jpg, 200 x 667"
    assert report.sentence().startswith("Upscale: 1 version made. Shrink: 1 version made. Mask: 4 versions made")
    assert set(report.as_dict()) == {"summary", "plan", "table", "steps"}


def test_a_second_run_does_nothing_and_other_limits_begin_at_the_pictures(pictures):
    do(pictures)
    again = do(pictures)
    assert all(not step.made for step in again.steps.values())
    assert [row.size for row in again.plan.rows] == [row.size for row in plan_by_size(pictures, settings(), ALL).rows]
    assert {row["Upscale"] or row["Shrink"] for row in again.table()} == {"", "there already"}
    do(pictures, target=160, small=150)
    assert Image.open(pictures.variants / "small_upscaled.png").size == (160, 240)
    assert Image.open(pictures.variants / "large_resized.jpg").size == (160, 533)


def steps(project, name):
    return [step.tool for step in read_made(project.variants / name).steps]


@pytest.mark.parametrize("limits", [{"small": 50, "large": 55, "target": 52}, {"small": 310, "large": 400, "target": 320}])
def test_other_limits_begin_at_the_picture_whatever_was_made_of_it_before(pictures, limits):
    """Shrunk after it was upscaled, and upscaled after it was shrunk: no pixel comes of what was there between."""
    do(pictures, images=("small", "large"))
    again = do(pictures, images=("small", "large"), **limits)
    assert {row.id: row.size for row in again.plan.rows} == {"small": (60, 90), "large": (300, 1000)}
    for row in again.plan.rows:
        name = look_at_picture(pictures, row.id).present.path.name
        assert steps(pictures, name) == [row.action] and Image.open(pictures.variants / name).size == row.goal
    assert all(not step.made for step in do(pictures, images=("small", "large"), **limits).steps.values())
    if limits["target"] == 52:
        whole = resized(Image.open(pictures.images / "small.png"), (52, 78), (52, 78))
        assert Image.open(pictures.variants / "small_upscaled.png").tobytes() == whole.tobytes()


def test_what_was_upscaled_and_then_shrunk_by_hand_is_made_anew_too(pictures):
    do(pictures, images=("small",))
    resize_images(pictures, ResizeSettings.make(mode="shortest", side=52, images=("small",)))
    assert steps(pictures, "small_upscaled.png") == ["upscale", "resize"]
    do(pictures, images=("small",), small=50, large=55, target=52)
    assert steps(pictures, "small_upscaled.png") == ["resize"]


def test_a_picture_that_now_stays_is_told_with_the_version_that_stands_for_it(pictures):
    do(pictures, images=("small", "just"))
    report = do(pictures, images=("small", "just"), small=50, large=160, target=100)
    assert sorted((row.name, row.action, row.stands) for row in report.plan.rows) == [
        ("just.png", "pass", ""), ("small.png", "pass", "small_upscaled.png")]
    assert "1 of those that stay stands as what was made of it earlier: small_upscaled.png. Take it back" in report.plan.sentence()
    assert next(row for row in report.table() if row["picture"] == "small.png")["plan"] == "stays as small_upscaled.png"


def test_what_another_tool_made_or_somebody_brought_along_counts(pictures):
    Image.new("RGB", (500, 900)).save(pictures.folder / "own.png")
    save_variant(pictures, "small", "upscaled", (pictures.folder / "own.png").read_bytes(), ".png")
    (row,) = plan_by_size(pictures, settings(images=("small",)), ALL).rows
    assert row.size == (500, 900) and row.action == "resize"
    resize_images(pictures, ResizeSettings.make(mode="shortest", side=100, images=("large",)))
    (row,) = plan_by_size(pictures, settings(images=("large",)), ALL).rows
    assert row.size == (300, 1000), "what resizing made of it is made anew"


def test_steps_whose_tool_is_missing_are_refused_before_anything_is_done(pictures):
    plan = plan_by_size(pictures, settings(then="mask"), ("resize",))
    assert plan.refused == ("Upscale is not there: no tool is called 'upscale'.", "Mask is not there: no tool is called 'mask'.")
    assert plan.sentence().endswith(plan.refused[1])
    ran = []
    with pytest.raises(ConfigError, match="Upscale is not there"):
        work_by_size(settings(then="mask"), plan, run_in(pictures, ran))
    assert ran == []
    assert plan_by_size(pictures, settings(images=("large", "just")), ("resize",)).refused == ()


@pytest.mark.parametrize("values", [{"target": 100}, {"target": 300}, {"small": 260, "target": 255}])
def test_limits_that_do_not_go_together_are_refused(pictures, values):
    with pytest.raises(ConfigError, match="does not lie between the limits"):
        plan_by_size(pictures, settings(**values), ALL)


def test_bad_pictures_are_named_in_the_plan_and_the_others_done(pictures):
    (pictures.images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    Image.new("RGB", (1, 900)).save(pictures.images / "line.png")
    plan = plan_by_size(pictures, settings(images=("broken", "line", "nobody", "just")), ALL)
    assert plan.unread == ("broken.png", "nobody") and [row.goal for row in plan.rows] == [(200, 180000), (150, 300)]
    assert "Cannot be opened, or not there: broken.png, nobody." in plan.sentence()


def test_an_empty_project_has_an_empty_plan(project):
    report = do(project)
    assert report.sentence() == "Every picture stays as it is." and report.plan.sentence().startswith("0 pictures")


def test_cancelled_between_the_steps_the_next_run_goes_on(pictures):
    class Stop(Progress):
        def start(self, verb, total=0):
            self.verb = verb

        def check(self):
            if getattr(self, "verb", "") == "Resizing":
                raise Cancelled

    with pytest.raises(Cancelled):
        do(pictures, progress=Stop())
    assert (pictures.variants / "small_upscaled.png").is_file() and not (pictures.variants / "large_resized.jpg").exists()
    report = do(pictures)
    assert report.steps["upscale"].there == ["small.png"] and len(report.steps["resize"].made) == 1


def test_it_is_a_stage_whose_plan_can_be_had_alone(pictures):
    told = run_stage("by-size", pictures.folder, {**LIMITS, "images": ["large", "middle"], "plan_only": True})
    assert [row["action"] for row in told["rows"]] == ["resize", "pass"] and "1 shrunk" in told["summary"]
    assert list(pictures.variants.glob("*.*")) == []
    told = run_stage("by-size", pictures.folder, {**LIMITS, "images": ["large", "middle"]})
    assert told["table"][0]["Shrink"] == "large_resized.jpg, 200 x 667" and told["table"][1]["Shrink"] == ""


def test_masks_and_transparency_follow_by_the_tools_of_the_project(project):
    picture = Image.new("RGB", (900, 700), "white")
    picture.paste((30, 60, 90), (200, 200, 600, 600))
    picture.save(project.images / "box.png")
    wanted = settings(small=16, then="transparent", segmenter="plain")
    report = ImagesManager(project).by_size(wanted)
    free = Image.open(project.variants / "box_transparent.png")
    assert list(report.steps) == ["resize", "mask", "transparent"] and free.size == (257, 200) and free.getpixel((2, 2))[3] == 0
    assert all(not step.made for step in ImagesManager(project).by_size(wanted).steps.values())


def test_with_a_real_network_small_pictures_are_upscaled_and_the_whole_is_told(project, tmp_path, monkeypatch):
    save_network(make_compact(2), tmp_path / "upscalers" / "tiny.safetensors")
    monkeypatch.setattr("core.models.having.models_dir", lambda: tmp_path)
    Image.effect_noise((60, 90), 60).convert("RGB").save(project.images / "small.png")
    Image.effect_noise((210, 200), 60).convert("RGB").save(project.images / "middle.png")
    wanted = settings(upscaler="tiny.safetensors")
    assert ImagesManager(project).plan_by_size(wanted).refused == ()
    report = ImagesManager(project).by_size(wanted)
    assert Image.open(project.variants / "small_upscaled.png").size == (200, 300)
    assert report.table()[1] == {"picture": "small.png", "size": "60 x 90", "plan": "upscale", "Upscale": report.table()[1]["Upscale"]}
    assert report.table()[1]["Upscale"].startswith("small_upscaled.png, 200 x 300")
    assert ImagesManager(project).by_size(wanted).steps["upscale"].there == ["small.png"]
    ImagesManager(project).by_size(settings(images=("small",), small=50, large=55, target=52))
    assert steps(project, "small_upscaled.png") == ["resize"]
    WARM.unload_all()


def test_only_shrinking_or_only_enlarging_can_be_asked_for(pictures):
    assert {row.name for row in plan_by_size(pictures, settings(small=0), ALL).of("upscale")} == set()
    assert {row.name for row in plan_by_size(pictures, settings(large=0), ALL).of("resize")} == set()
    assert {row.name for row in plan_by_size(pictures, settings(large=0), ALL).of("upscale")} == {"small.png"}
    with pytest.raises(ConfigError, match=r"does not lie between the limits \(500 px and no upper one\)"):
        plan_by_size(pictures, settings(small=500, large=0, target=200), ALL)


def test_what_holds_too_little_for_its_new_size_is_named(pictures):
    assert "times as large" not in plan_by_size(pictures, settings(), ALL).sentence()
    Image.new("RGB", (32, 32)).save(pictures.images / "tiny.png")
    plan = plan_by_size(pictures, settings(), ALL)
    assert "More than 4 times as large becomes tiny.png" in plan.sentence()
    assert {row.name: row.factor for row in plan.rows}["tiny.png"] == 200 / 32
