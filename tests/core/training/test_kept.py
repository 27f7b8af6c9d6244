"""The settings that a project keeps: its own pictures are found anew, and what was moved is found where it lies."""

import shutil

import pytest

from core.base.paths import ROOT
from core.dataset.project import Project
from core.training.config import TrainingSettings
from core.training.config.counting import count_steps
from core.training.config.presets import apply_preset, load_preset
from core.training.config.sources import image_counts
from core.training.fitting import fit_to_project
from core.training.kept import find_moves, keep_settings, placed_now, read_kept, settings_file
from tests.core.training.test_fitting import make_pictures


@pytest.fixture
def project(tmp_path):
    made = Project.create(tmp_path / "cats", "cats", trigger="mochi")
    make_pictures(made.images, 3)
    return made


def kept(settings, project):
    """As they are read after they were kept, and kept and read again."""
    keep_settings(settings, project)
    keep_settings(read_kept(project), project)
    return read_kept(project)


def steps(settings):
    return count_steps(settings, image_counts(settings)).steps


def test_pictures_that_are_added_count_at_the_next_look(project):
    assert steps(kept(fit_to_project(load_preset("sd15_character"), project), project)) == 1010
    make_pictures(project.images, 97, first=3)
    found = read_kept(project)
    assert found.data.subsets[0].num_repeats == 2 and steps(found) == 1000
    assert steps(kept(apply_preset("sd15_style", found), project)) == 1000


def test_an_empty_project_keeps_no_repeats(tmp_path):
    empty = Project.create(tmp_path / "empty", "empty")
    assert kept(fit_to_project(TrainingSettings(), empty), empty).data.subsets[0].num_repeats == 1
    make_pictures(empty.images, 20)
    assert read_kept(empty).data.subsets[0].num_repeats == 10


def test_chosen_repeats_stay_and_can_be_given_up_again(project):
    chosen = kept(fit_to_project(TrainingSettings(), project).with_values(data={"num_repeats": 5}), project)
    make_pictures(project.images, 7, first=3)
    assert read_kept(project).data.subsets[0].num_repeats == 5
    assert apply_preset("sdxl_style", chosen).data.num_repeats == 5
    assert kept(chosen.with_values(data={"num_repeats": None}), project).data.subsets[0].num_repeats == 20


def test_other_folders_and_regularisation_stay_as_they_were_given(project):
    reg = {"image_dir": str(project.folder / "regularisation"), "is_reg": True, "num_repeats": 3}
    other = {"image_dir": "/elsewhere", "num_repeats": 4, "class_tokens": "1girl"}
    own = {"image_dir": str(project.images)}
    base = TrainingSettings()

    def told(*subsets):
        found = kept(base.with_values(data={"subsets": list(subsets)}), project).data.subsets
        return [(subset.image_dir, subset.num_repeats, subset.class_tokens) for subset in found]

    ours, theirs, regs = (str(project.images), 67, None), ("/elsewhere", 4, "1girl"), (reg["image_dir"], 3, None)
    assert told(reg) == told(own, reg) == [ours, regs]
    assert told(other) == [theirs]
    assert told(other, own, reg) == [theirs, ours, regs]
    assert told({**own, "class_tokens": "cat"}) == [(ours[0], 67, "cat")]


def test_the_file_holds_nothing_of_the_projects_own_folder(project):
    kept(fit_to_project(TrainingSettings(), project), project)
    text = settings_file(project.folder).read_text()
    assert str(project.images) not in text and "num_repeats" not in text


@pytest.mark.parametrize("copied", [True, False])
def test_a_copied_or_moved_project_trains_on_its_own_pictures(project, tmp_path, copied):
    reg = project.folder / "regularisation"
    make_pictures(reg, 2)
    lora, model = str(project.output / "first.safetensors"), str(tmp_path / "models" / "x.safetensors")
    settings = TrainingSettings().with_values(
        data={"subsets": [{"image_dir": str(reg), "is_reg": True}, {"image_dir": "/elsewhere"}, {"image_dir": str(project.images)}]},
        network={"network_weights": lora}, model={"pretrained_model_name_or_path": model}, sampling={"sample_prompts": ["mochi"]})
    keep_settings(settings, project)
    place = tmp_path / "dogs"
    if copied:
        shutil.copytree(project.folder, place)
    else:
        project.folder.rename(place)
    now = Project.open(place)
    found = read_kept(now)
    assert [subset.image_dir for subset in found.data.subsets] == [str(place / "regularisation"), "/elsewhere", str(place / "images")]
    assert found.network.network_weights == str(place / "output" / "first.safetensors")
    assert found.model.pretrained_model_name_or_path == model and found.sampling == settings.sampling
    keep_settings(found, now)
    assert read_kept(now) == found and f"{project.folder}/" not in settings_file(place).read_text()


def test_a_model_inside_lorabooks_folder_follows_when_that_was_moved(project, tmp_path):
    old = tmp_path / "old" / "lorabook"
    keep_settings(TrainingSettings().with_values(model={"pretrained_model_name_or_path": f"{old}/models/x.safetensors"}), project)
    file = settings_file(project.folder)
    file.write_text(file.read_text().replace(f'root = "{ROOT}"', f'root = "{old}"'))
    assert read_kept(project).model.pretrained_model_name_or_path == str(ROOT / "models" / "x.safetensors")
    old.mkdir(parents=True)
    assert read_kept(project).model.pretrained_model_name_or_path == f"{old}/models/x.safetensors"


def test_settings_without_places_are_read_as_they_stand(project):
    settings_file(project.folder).write_text('places = 3\n[network]\nnetwork_weights = "/a/x.safetensors"\n')
    assert read_kept(project).network.network_weights == "/a/x.safetensors"


def test_only_what_lies_inside_is_moved(tmp_path):
    moves = find_moves("/old/cats", tmp_path, "")
    values = {"a": ["/old/cats", "/old/cats/images", "/old/catsx", "mochi /old/cats"], "b": 1}
    assert placed_now(values, moves) == {"a": [str(tmp_path), f"{tmp_path}/images", "/old/catsx", "mochi /old/cats"], "b": 1}
    assert find_moves(str(tmp_path), tmp_path, str(ROOT)) == find_moves("", tmp_path, "") == []
