"""All settings of the training in one form: found by words, compared with the preset, greyed where they do nothing, folders in rows."""

import pytest

from core.base.paths import DEMO_ASSETS
from core.training.config.applying import idle
from core.training.loading import NoSettings
from tests.core.training.config.part_files import SHAPES, weights
from tests.core.training.test_base_models import SDXL, write_header
from widgets.training.check import TrainingCheckPanel, fix_words
from widgets.training.choice import keep_settings, read_settings
from widgets.training.settings import SettingsPanel


@pytest.fixture
def panel(session):
    return SettingsPanel(session)


def shown(panel):
    """Names of the settings that a person sees."""
    seen = []
    for section, form in panel.form._sections.items():
        if panel.form.section_box(section).layout.display == "none":
            continue
        for level in form._levels.values():
            if level.box.layout.display != "none":
                seen += [name for name, control in level.controls.items() if control.view.layout.display != "none"]
    return set(seen)


def test_a_setting_is_found_by_its_words_wherever_it_is_folded(panel):
    before = shown(panel)
    panel.finder.words.value = "min-snr"
    assert shown(panel) == {"min_snr_gamma", "debiased_estimation_loss"}
    panel.finder.words.value = "min_snr_gamma"
    assert shown(panel) == {"min_snr_gamma"}
    assert "1 setting fits" in panel.finder._said.value
    panel.finder.words.value = "no such thing"
    assert shown(panel) == set() and "No setting fits" in panel.finder._said.value
    panel.finder.words.value = ""
    assert shown(panel) == before and panel.finder._said.value == ""


def test_what_was_found_can_be_changed_and_is_kept(panel, session):
    panel.finder.words.value = "noise_offset"
    control = panel.form.section("loss").control("noise_offset")
    control.widget.value = "0.05"
    assert read_settings(session).loss.noise_offset == 0.05
    assert panel.form.section("loss").control("noise_offset_random_strength").widget.disabled is False


def test_what_differs_from_the_preset_is_shown_alone_with_the_presets_value(panel, session):
    panel.guard(panel.run)
    assert "(0)" in panel.finder.changed.description
    panel.form.control("network.network_dim").widget.value = 24
    assert "(1)" in panel.finder.changed.description
    panel.finder.changed.value = True
    assert shown(panel) == {"network_dim"}
    assert "Rank: the preset has 16." in panel.finder._said.value
    panel.guard(panel.run)
    assert "(0)" in panel.finder.changed.description and shown(panel) == set()


def test_what_does_nothing_is_greyed_with_the_reason_or_hidden(panel, session):
    panel.form.open_folds()
    network = panel.form.section("network")
    conv_alpha, factor, ae = network.control("conv_alpha"), network.control("factor"), panel.form.section("model").control("ae")
    assert conv_alpha.widget.disabled and "acts only where" in conv_alpha._note.value and conv_alpha.view.layout.display != "none"
    assert factor.widget.disabled and "LoKr" in factor._note.value
    assert ae.view.layout.display == "none"
    network.control("conv_dim").widget.value = "8"
    assert not conv_alpha.widget.disabled and "acts only" not in conv_alpha._note.value
    panel.form.control("model.family").widget.value = "flux1"
    assert ae.view.layout.display != "none" and not ae.widget.disabled
    assert panel.form.section("loss").control("min_snr_gamma").view.layout.display == "none"


def test_the_form_greys_exactly_what_is_not_written(panel, session):
    panel.form.open_folds()
    reasons = {f"{part}.{name}" for part, name, _ in idle(read_settings(session))}
    names = set(panel.form.names())
    disabled = {name for name in names if panel.form.control(name).widget.disabled}
    assert disabled == reasons & names


def test_folders_are_added_with_their_own_repeats_and_taken_out(panel, session, tmp_path):
    (tmp_path / "more").mkdir()
    panel.folders.add.click()
    form, row = panel.folders._rows[-1]
    assert len(read_settings(session).data.subsets) == 1  # an empty row is none
    form.control("image_dir").widget.value = str(tmp_path / "more")
    form.control("num_repeats").widget.value = 3
    subsets = read_settings(session).data.subsets
    assert [(one.image_dir, one.num_repeats) for one in subsets[1:]] == [(str(tmp_path / "more"), 3)]
    assert SettingsPanel(session).folders.value() == subsets
    row.children[-1].click()
    assert len(read_settings(session).data.subsets) == 1


def test_a_folders_own_settings_stand_aside_where_nothing_reads_them(panel):
    panel.form.open_folds()
    panel.folders.add.click()  # a row that comes later is told too
    for form, _ in panel.folders._rows:
        form.open_folds()

    def greyed():
        return [{name for name in form.names() if form.control(name).widget.disabled} for form, _ in panel.folders._rows]

    assert greyed() == [{"conditioning_data_dir", "alpha_mask", "control_directory"}] * 2
    panel.form.control("loss.masked_loss").widget.value = True
    assert greyed() == [{"control_directory"}] * 2


def test_the_projects_own_folder_cannot_be_taken_out(panel):
    (_, row), = panel.folders._rows
    assert "own pictures" in row.children[0].value
    assert [type(child).__name__ for child in row.children].count("Button") == 0


def test_a_finding_is_mended_at_one_press(session, tmp_path):
    model = write_header(tmp_path / "a.safetensors", (*SDXL, "v_pred"))
    keep_settings(session, read_settings(session).with_values(model={"family": "sdxl", "pretrained_model_name_or_path": str(model)},
                                                              data={"color_aug": True}))
    panel = TrainingCheckPanel(session)
    found = session.training.check(read_settings(session), "sd-scripts", deep=False)
    panel._show(found)
    words = [box.children[1].description for box in panel._mends.children]
    without_caches = "Switch 'Cache latents' off and switch 'Latents to disk' off"
    assert "Switch 'v-prediction' on" in words and without_caches in words
    panel._mends.children[words.index(without_caches)].children[1].click()
    data = read_settings(session).data
    assert data.color_aug and not data.cache_latents and not data.cache_latents_to_disk  # what is learned stays the same


def test_what_was_found_in_other_settings_is_not_mended_in_these(session):
    keep_settings(session, read_settings(session).with_values(optimizer={"optimizer_type": "Adafactor"}, schedule={"lr_warmup_steps": 0}))
    panel = TrainingCheckPanel(session)
    panel._show(session.training.check(read_settings(session), "sd-scripts", deep=False))
    words = [box.children[1].description for box in panel._mends.children]
    assert "Set 'More optimizer arguments' to relative_step=False, scale_parameter=False, warmup_init=False" in words
    other = {"optimizer_type": "AdamW", "optimizer_args": ["weight_decay=0.1"]}
    keep_settings(session, read_settings(session).with_values(optimizer=other))
    panel.refresh()
    note, = panel._mends.children
    assert "check again" in note.value


def test_a_model_of_another_family_is_met_with_a_preset_at_one_press(session, tmp_path):
    model = write_header(tmp_path / "a.safetensors", SDXL)
    keep_settings(session, read_settings(session).with_values(model={"pretrained_model_name_or_path": str(model)}))
    panel = TrainingCheckPanel(session)
    panel._show(session.training.check(read_settings(session), "sd-scripts", deep=False))
    button, = [box.children[1] for box in panel._mends.children if box.children[1].description == "Use the preset 'SDXL, character'"]
    button.click()
    settings = read_settings(session)
    assert (settings.model.family, settings.data.resolution, settings.model.pretrained_model_name_or_path) == ("sdxl", 1024, str(model))


def test_the_words_of_a_remedy():
    from core.training.config.finding import finding

    assert fix_words(finding("error", "x", "y", noise_offset=0.05)) == "Set 'Noise offset' to 0.05"
    assert fix_words(finding("error", "x", "y", min_timestep=None, max_timestep=None)) == \
        "Empty 'Lowest noise level' and empty 'Highest noise level'"


def test_files_beside_the_model_are_offered_and_a_wrong_one_is_told_at_its_field(panel, session, tmp_path, monkeypatch):
    monkeypatch.setenv("LORABOOK_MODELS", str(tmp_path / "models"))
    (tmp_path / "models" / "components").mkdir(parents=True)
    places = {name: str(weights(tmp_path / "models" / "components" / f"{name}.safetensors", SHAPES[name])) for name in ("clip_l", "t5xxl")}
    panel.form.control("model.family").widget.value = "flux1"
    panel.update()
    clip = panel.form.control("model.clip_l")
    assert [value for _, value in clip.list.options] == ["", places["clip_l"]]
    clip.widget.value = places["t5xxl"]
    panel.update()
    assert "is the text encoder T5-XXL, but is chosen as CLIP-L" in clip._note.value
    clip.list.value = places["clip_l"]
    panel.update()
    assert "but is chosen" not in clip._note.value and read_settings(session).model.clip_l == places["clip_l"]


def test_the_preset_that_is_in_use_is_remembered_and_followed(session, tmp_path):
    panel = SettingsPanel(session)
    panel.preset.value = "sd15_style"
    panel.main.click()
    assert SettingsPanel(session).preset.value == "sd15_style"  # as after the cells were run again
    model = write_header(tmp_path / "a.safetensors", SDXL)
    keep_settings(session, read_settings(session).with_values(model={"pretrained_model_name_or_path": str(model)}))
    check = TrainingCheckPanel(session)
    check._show(session.training.check(read_settings(session), "sd-scripts", deep=False))
    button, = [box.children[1] for box in check._mends.children if box.children[1].description == "Use the preset 'SDXL, character'"]
    button.click()
    panel.refresh()
    assert panel.preset.value == "sdxl_character" and "(0)" in panel.finder.changed.description
    assert panel.status.text == "Ready"  # not: the preset SD 1.5 is in use
    session.training.settings_back(NoSettings())
    panel.refresh()
    assert panel.preset.value == "sd15_style" and "(0)" in panel.finder.changed.description


def test_a_preset_that_does_not_fit_the_model_is_no_good_news(session, tmp_path):
    model = write_header(tmp_path / "a.safetensors", SDXL)
    keep_settings(session, read_settings(session).with_values(model={"pretrained_model_name_or_path": str(model)}))
    panel = SettingsPanel(session)
    panel.preset.value = "sd15_style"
    panel.main.click()
    assert panel.status.state == "attention" and "is in use, but a.safetensors is made for SDXL" in panel.status.text


def test_the_demo_model_is_met_with_its_own_preset(session):
    keep_settings(session, read_settings(session).with_values(model={"family": "sdxl", "pretrained_model_name_or_path": str(
        DEMO_ASSETS / "model")}))
    found = session.training.check(read_settings(session), "sd-scripts", deep=False)
    assert any(one.what.startswith("The demo model is made for Stable Diffusion 1.5, but") for one in found)
    panel = TrainingCheckPanel(session)
    panel._show(found)
    words = [box.children[1].description for box in panel._mends.children]
    assert words.count("Use the preset 'Demo'") == 1 and not any("character" in one for one in words)
