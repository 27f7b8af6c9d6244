"""Whole runs of the built-in trainer on a tiny model."""

import hashlib
import json

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from core.base.errors import Cancelled, ConfigError, ModelError, TrainingError
from core.base.jobs import read_events
from core.base.paths import DEMO_MODEL, DEMO_VERSION
from core.diffusion import load_model
from core.diffusion.lora import apply_lora, find_targets
from core.diffusion.sampling import make_scheduler
from core.training.builtin.main import train
from core.training.builtin.optimizers import make_optimizer, make_schedule, present_rates
from core.training.builtin.options import make_options
from core.utilities.files.lora_file import open_lora
from core.utilities.names.family import family_of
from tests.core.training.builtin.making import make_trainer
from tests.tiny_models import break_vae, make_model_folder, make_pictures, write_training_pair

pytestmark = pytest.mark.slow


def run(folder, model, sizes=((64, 64),) * 4, dataset=None, subset=None, stop=lambda: False, **config):
    images = make_pictures(folder / "images", list(sizes))
    pair = write_training_pair(folder, model, images, dataset, subset, **config)
    lines = []
    path = train(*pair, run_dir=folder, say=lines.append, stop=stop, device="cpu")
    return path, read_events(folder)[0], lines


def named(events, name):
    return [event for event in events if event["event"] == name]


@pytest.mark.slow
def test_a_run_writes_what_sd_scripts_would_write(sd_folder, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("red hair --w 32 --h 32 --d 3 --s 2 --l 1\n")
    path, events, lines = run(tmp_path, sd_folder, sizes=[(64, 64)] * 3 + [(96, 32)], subset={"num_repeats": 2}, save_every_n_epochs=1,
                              save_every_n_steps=3, sample_prompts=str(prompts), sample_every_n_epochs=1, save_state=True,
                              max_train_epochs=3, logging_dir=str(tmp_path / "logs"), network_args=["conv_dim=2", "conv_alpha=1"])
    names = {item.name for item in (tmp_path / "checkpoints").iterdir()}
    assert {"tiny.safetensors", "tiny-000001.safetensors", "tiny-000002.safetensors", "tiny-step00000003.safetensors", "tiny-state",
            "tiny-000001-state", "tiny-step00000003-state"} <= names and "tiny-000003.safetensors" not in names
    assert [event["step"] for event in named(events, "step")] == list(range(1, 13))
    assert [item.name for item in sorted((tmp_path / "samples").iterdir())] == [f"tiny_e{epoch:06d}_00_3.png" for epoch in (1, 2, 3)]
    start = named(events, "start")[0]
    assert (start["total_steps"], start["epochs"], start["images"], start["batches"], start["buckets"]) == \
        (12, 3, 8, 4, {"96x32": 2, "64x64": 6})
    assert events[-1]["event"] == "done" and events[-1]["path"] == str(path)
    assert "saving checkpoint: " + str(path) in lines and any("steps: 100%|██████████| 12/12" in line for line in lines)
    assert any((tmp_path / "logs").rglob("events.out.tfevents*"))


def test_the_file_has_kohyas_keys_shapes_and_metadata(sd_folder, tmp_path):
    path, _, _ = run(tmp_path, sd_folder, network_args=["conv_dim=2", "conv_alpha=1"], save_precision="fp16", max_train_epochs=1)
    model = load_model(sd_folder, device="cpu")
    state = load_file(path)
    expected = {f"{target.name}.{part}" for target in find_targets(model, True) for part in ("lora_down.weight", "lora_up.weight", "alpha")}
    assert set(state) == expected
    assert {value.dtype for value in state.values()} == {torch.float16}
    name = "lora_unet_down_blocks_0_attentions_0_proj_in"
    assert state[f"{name}.lora_down.weight"].shape == (4, 32, 1, 1) and state[f"{name}.lora_up.weight"].shape == (32, 4, 1, 1)
    name = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"
    assert state[f"{name}.lora_down.weight"].shape == (4, 32) and float(state[f"{name}.alpha"]) == 2
    name = "lora_unet_mid_block_resnets_0_conv1"
    assert state[f"{name}.lora_down.weight"].shape == (2, 64, 3, 3) and state[f"{name}.lora_up.weight"].shape == (64, 2, 1, 1)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["ss_network_module"] == "networks.lora" and metadata["ss_network_dim"] == "4" and metadata["ss_steps"] == "2"
    assert metadata["ss_base_model_version"] == "sd_v1" and metadata["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert json.loads(metadata["ss_tag_frequency"])["images"]["red hair"] == 4
    assert json.loads(metadata["ss_network_args"]) == {"conv_dim": "2", "conv_alpha": "1.0"}
    assert json.loads(metadata["ss_bucket_info"])["buckets"] == {"0": {"resolution": [64, 64], "count": 4}}
    data = path.read_bytes()
    start = int.from_bytes(data[:8], "little") + 8
    assert metadata["sshs_model_hash"] == hashlib.sha256(data[start:]).hexdigest()
    assert apply_lora(model, path).unused == ()


def test_a_file_trained_on_the_embedded_model_says_so(tmp_path):
    link = tmp_path / "linked"
    link.symlink_to(DEMO_MODEL)
    path, _, _ = run(tmp_path, link, max_train_steps=1, no_metadata=True)
    with open_lora(path) as file:
        assert file.metadata["ss_base_model_version"] == DEMO_VERSION == "lorabook_demo"
        assert file.metadata["modelspec.architecture"] == "lorabook_demo/lora"
        assert family_of(file.modules, file.metadata).name == "demo"


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd", "sdxl"])
def test_a_lora_learns_a_tiny_dataset(family, request, tmp_path):
    folder = request.getfixturevalue(f"{family}_folder")
    _, events, _ = run(tmp_path, folder, max_train_epochs=None, max_train_steps=40, learning_rate=2e-2, min_timestep=500, max_timestep=501,
                       dataset={"batch_size": 4})
    losses = [event["loss"] for event in named(events, "step")]
    assert sum(losses[-5:]) < (0.85 if family == "sd" else 0.95) * sum(losses[:5])


@pytest.mark.parametrize("settings", [
    {"gradient_accumulation_steps": 3}, {"cache_latents": False}, {"gradient_checkpointing": True},
    {"network_train_unet_only": True, "cache_text_encoder_outputs": True}, {"network_train_text_encoder_only": True},
    {"optimizer_type": "Prodigy", "learning_rate": 1.0}, {"optimizer_type": "AdamW8bit"},
    {"optimizer_type": "Adafactor", "optimizer_args": ["relative_step=False", "scale_parameter=False", "warmup_init=False"]},
    {"optimizer_type": "torch.optim.SGD", "lr_scheduler": "polynomial"}, {"lr_scheduler": "cosine", "lr_warmup_steps": 0.5},
    {"v_parameterization": True, "zero_terminal_snr": True, "scale_v_pred_loss_like_noise_pred": True},
    {"network_dropout": 0.2, "network_args": ["rank_dropout=0.1", "module_dropout=0.1", "ema_decay=0.9"]}, {"text_encoder_lr": 0.0},
    {"max_token_length": 225, "clip_skip": 2}, {"mixed_precision": "fp16"},
])
def test_settings_run_to_the_end(sd_folder, tmp_path, settings):
    path, events, _ = run(tmp_path, sd_folder, subset={"flip_aug": True}, sizes=((64, 64),) * 8, **{"max_train_epochs": 1, **settings})
    expected = 2 if "gradient_accumulation_steps" in settings else 4
    assert len(named(events, "step")) == expected and path.is_file()
    assert all(torch.isfinite(value).all() for value in load_file(path).values())


def test_the_same_pair_gives_the_same_file_twice(sd_folder, tmp_path):
    states = []
    for name in ("a", "b"):
        path, _, _ = run(tmp_path / name, sd_folder, subset={"flip_aug": True, "shuffle_caption": True, "caption_dropout_rate": 0.3},
                         network_dropout=0.1)
        states.append(load_file(path))
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())


def test_drawing_samples_does_not_change_what_is_learned(sd_folder, tmp_path):
    prompts = tmp_path / "p.txt"
    prompts.write_text("cat --w 32 --h 32 --s 2 --ss euler_a")
    plain, _, _ = run(tmp_path / "a", sd_folder, network_dropout=0.1)
    drawn, _, _ = run(tmp_path / "b", sd_folder, network_dropout=0.1, sample_prompts=str(prompts), sample_every_n_steps=1,
                      sample_at_first=True)
    assert len(list((tmp_path / "b/samples").iterdir())) == 5
    other = load_file(drawn)
    assert all(torch.equal(value, other[name]) for name, value in load_file(plain).items())


def test_the_averaged_weights_are_those_that_are_saved(sd_folder, tmp_path):
    trainer = make_trainer(tmp_path, sd_folder, network_args=["ema_decay=0.5"], learning_rate=1e-2)
    path = trainer.run()
    saved, own = load_file(path), trainer.network.raw_state()
    name = next(name for name in saved if name.endswith("lora_up.weight"))
    assert torch.equal(saved[name], own[f"ema.{name}"]) and not torch.equal(saved[name], own[name])


@pytest.mark.slow
def test_only_the_wanted_number_of_epochs_is_kept(sd_folder, tmp_path):
    run(tmp_path, sd_folder, max_train_epochs=6, save_every_n_epochs=1, save_last_n_epochs=2, save_state=True)
    kept = sorted(item.name for item in (tmp_path / "checkpoints").glob("tiny-0*"))
    assert kept == ["tiny-000004-state", "tiny-000004.safetensors", "tiny-000005-state", "tiny-000005.safetensors"]


def test_an_edited_image_is_encoded_anew_and_others_come_from_the_disk(sd_folder, tmp_path):
    trainer = make_trainer(tmp_path, sd_folder, cache_latents_to_disk=True, subset={"flip_aug": True})
    assert trainer.latents.encoded == 8
    again = make_trainer(tmp_path, sd_folder, cache_latents_to_disk=True, subset={"flip_aug": True})
    assert again.latents.encoded == 0
    (tmp_path / "images/00.png").write_bytes((tmp_path / "images/01.png").read_bytes())
    trainer.latents._kept.clear()
    trainer.latents.encoded = 0
    trainer.latents.cache(trainer.datasets[0].images)
    assert trainer.latents.encoded == 2
    assert len(list((tmp_path / "images/.lorabook/latents").glob("00.png_*"))) == 2


def test_a_run_starts_from_given_weights(sd_folder, tmp_path):
    path, _, _ = run(tmp_path / "a", sd_folder)
    trainer = make_trainer(tmp_path / "b", sd_folder, network_weights=str(path))
    assert all(torch.equal(value, trainer.network.state()[name]) for name, value in load_file(path).items())
    with pytest.raises(ModelError, match="has rank 4, but network_dim makes 8"):
        make_trainer(tmp_path / "c", sd_folder, network_weights=str(path), network_dim=8)


def test_a_rate_of_zero_keeps_the_part_in_the_file_but_untouched(sd_folder, tmp_path):
    path, events, _ = run(tmp_path, sd_folder, text_encoder_lr=0.0)
    state = load_file(path)
    assert all(value.abs().sum() == 0 for name, value in state.items() if name.startswith("lora_te_") and "lora_up" in name)
    assert set(named(events, "step")[0]["lr"]) == {"unet"}


def test_stopping_leaves_a_whole_checkpoint_and_says_so(sd_folder, tmp_path):
    def stop():
        return len(named(read_events(tmp_path)[0], "step")) >= 3

    with pytest.raises(Cancelled, match="Stopped at step 3 of 20"):
        run(tmp_path, sd_folder, stop=stop, max_train_epochs=10, save_state=True)
    events, _ = read_events(tmp_path)
    assert events[-1]["event"] == "cancelled"
    assert len(load_file(tmp_path / "checkpoints/tiny-step00000003.safetensors")) > 0
    assert (tmp_path / "checkpoints/tiny-step00000003-state/train_state.json").is_file()


def test_a_loss_that_is_no_number_stops_with_a_remedy(sd_folder, tmp_path):
    with pytest.raises(TrainingError, match="loss became nan"):
        run(tmp_path, sd_folder, learning_rate=1e30, max_grad_norm=0.0, max_train_epochs=20)
    events, _ = read_events(tmp_path)
    assert events[-1]["event"] == "failed" and "learning rate" in events[-1]["hint"]


@pytest.mark.slow
def test_what_does_not_go_together_is_refused_before_training(sd_folder, tmp_path):
    for settings, words in [({"dataset": {"resolution": 36, "enable_bucket": False}}, "multiples of 8"),
                            ({"network_train_unet_only": True, "cache_text_encoder_outputs": True, "subset": {"shuffle_caption": True}},
                             "captions that change"),
                            ({"scale_v_pred_loss_like_noise_pred": True}, "predicts velocity"),
                            ({"unet_lr": 0.0, "text_encoder_lr": 0.0}, "learning rate is 0"),
                            ({"optimizer_type": "Magic"}, "no optimizer 'Magic'"),
                            ({"optimizer_args": ["speed=1"]}, "takes no 'speed'")]:
        with pytest.raises(ConfigError, match=words):
            run(tmp_path / "x", sd_folder, **settings)


def test_a_folder_of_a_velocity_model_is_trained_on_velocity(tmp_path):
    folder = make_model_folder(tmp_path / "m", prediction_type="v_prediction", tiny_vae=True)
    trainer = make_trainer(tmp_path, folder)
    assert trainer.noise.v_prediction and trainer.saver.spec()["modelspec.prediction_type"] == "v"
    assert trainer.run().is_file()


def test_schedules_follow_the_steps():
    parameter = torch.nn.Parameter(torch.zeros(1))
    options = make_options({"pretrained_model_name_or_path": "m", "output_dir": "o", "lr_scheduler": "cosine_with_restarts",
                            "lr_warmup_steps": 0.2, "lr_scheduler_num_cycles": 2})
    optimizer = make_optimizer(options, [{"params": [parameter], "lr": 1.0, "name": "unet"}])
    schedule = make_schedule(options, optimizer, 10)
    rates = []
    for _ in range(10):
        rates.append(present_rates(optimizer, schedule)["unet"])
        optimizer.step()
        schedule.step()
    assert rates[:3] == [0.0, 0.5, 1.0] and rates[6] == pytest.approx(1.0) and rates[5] < 0.3


def prompts_in(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "prompts.txt"
    file.write_text("red hair --w 32 --h 32 --s 2 --l 1\n" * count)
    return {"sample_prompts": str(file)}


@pytest.mark.parametrize("when", ["sample_every_n_epochs", "sample_every_n_steps"])
def test_the_finished_file_is_written_before_the_last_samples_are_drawn(sd_folder, tmp_path, when):
    _, events, _ = run(tmp_path, sd_folder, max_train_epochs=1, **{when: 1}, **prompts_in(tmp_path, 2))
    final = next(number for number, event in enumerate(events) if event["event"] == "saved" and event["final"])
    last = [number for number, event in enumerate(events) if event["event"] == "sample" and event["step"] == 2]
    assert len(last) == 2 and final < min(last) and events[-1]["event"] == "done"


@pytest.mark.parametrize(("at", "state"), [("middle", "cancelled"), ("end", "done")])
def test_stop_is_heard_between_two_sample_pictures(sd_folder, tmp_path, at, state):
    def stop():
        drawn = named(read_events(tmp_path)[0], "sample")
        return bool(drawn) and drawn[-1]["step"] >= (2 if at == "middle" else 4)

    words = {"stop": stop, "max_train_epochs": 2, "sample_every_n_epochs": 1, **prompts_in(tmp_path, 5)}
    if state == "cancelled":
        with pytest.raises(Cancelled, match="Stopped at step 2 of 4"):
            run(tmp_path, sd_folder, **words)
    else:
        run(tmp_path, sd_folder, **words)
    events, _ = read_events(tmp_path)
    assert events[-1]["event"] == state
    assert [event["index"] for event in named(events, "sample") if event["step"] == (2 if at == "middle" else 4)] == [0]


def test_a_stop_while_the_first_samples_are_drawn_ends_before_the_training(sd_folder, tmp_path):
    def stop():
        return len(named(read_events(tmp_path)[0], "sample")) >= 1

    with pytest.raises(Cancelled):
        run(tmp_path, sd_folder, stop=stop, sample_at_first=True, sample_every_n_epochs=1, **prompts_in(tmp_path, 5))
    events, _ = read_events(tmp_path)
    assert len(named(events, "sample")) == 1 and not named(events, "step")


@pytest.mark.slow
@pytest.mark.parametrize("save_state", [False, True])
def test_a_stopped_run_can_always_go_on_and_the_state_of_the_stop_goes_when_it_is_no_longer_needed(sd_folder, tmp_path, save_state):
    def stop():
        return len(named(read_events(tmp_path)[0], "step")) >= 3

    keys = {"max_train_epochs": 4, "save_every_n_epochs": 1, "save_state": save_state, "save_last_n_epochs_state": 1}
    with pytest.raises(Cancelled, match="Stopped at step 3 of 8"):
        run(tmp_path, sd_folder, stop=stop, **keys)
    state = tmp_path / "checkpoints/tiny-step00000003-state"
    assert (state / "train_state.json").is_file()
    _, events, _ = run(tmp_path, sd_folder, resume=str(state), **keys)
    assert [event["step"] for event in named(events, "step")] == list(range(1, 9))
    left = {folder.name for folder in (tmp_path / "checkpoints").glob("*-state")}
    assert left == ({"tiny-000003-state", "tiny-state"} if save_state else set())


def test_a_state_that_a_person_chose_from_elsewhere_is_never_removed(sd_folder, tmp_path):
    def stop():
        return len(named(read_events(tmp_path / "a")[0], "step")) >= 1

    with pytest.raises(Cancelled):
        run(tmp_path / "a", sd_folder, stop=stop)
    state = tmp_path / "a/checkpoints/tiny-step00000001-state"
    run(tmp_path / "b", sd_folder, resume=str(state), save_state=True)
    assert (state / "train_state.json").is_file()


def test_samples_of_a_zero_terminal_snr_training_are_drawn_as_it_is_trained(sd_folder, tmp_path):
    trainer = make_trainer(tmp_path, sd_folder, prepare=False, v_parameterization=True, zero_terminal_snr=True)
    scheduler = make_scheduler(trainer.model.scheduler_config, "euler_a")
    assert scheduler.config.prediction_type == "v_prediction" and scheduler.config.timestep_spacing == "trailing"
    torch.testing.assert_close(scheduler.alphas_cumprod[:-1].float(), trainer.noise.signal[:-1] ** 2, atol=1e-5, rtol=1e-4)
    assert float(trainer.noise.signal[-1]) < 1e-6 and float(scheduler.alphas_cumprod[-1]) < 1e-6


def test_a_stop_is_heard_while_the_pictures_are_looked_through(sd_folder, tmp_path):
    asked = []
    with pytest.raises(Cancelled):
        run(tmp_path, sd_folder, sizes=((64, 64),) * 20, stop=lambda: asked.append(1) or len(asked) > 2)
    assert named(read_events(tmp_path)[0], "cancelled") and len(asked) == 3


def test_the_log_tells_that_and_how_far_the_pictures_are_looked_through(sd_folder, tmp_path):
    _, _, lines = run(tmp_path, sd_folder, max_train_epochs=1)
    assert lines[0].startswith("prepare images") and any("4/4" in line for line in lines[1:6])


def test_sample_pictures_that_are_no_numbers_are_told_and_do_not_end_the_training(tmp_path):
    broken = break_vae(make_model_folder(tmp_path / "model"))
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("red hair --w 32 --h 32 --d 3 --s 2 --l 1\n")
    path, events, _ = run(tmp_path, broken, sample_prompts=str(prompts), sample_every_n_epochs=1, max_train_epochs=1)
    assert path.is_file() and not named(events, "sample") and "no_half_vae" in named(events, "warning")[-1]["message"]


def test_captions_that_cannot_be_kept_beside_the_pictures_do_not_end_the_training(sd_folder, tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / ".lorabook").write_text("no folder")  # stands for a read-only picture folder
    path, events, _ = run(tmp_path, sd_folder, max_train_epochs=1, network_train_unet_only=True, cache_text_encoder_outputs_to_disk=True)
    assert path.is_file() and "kept in memory only" in named(events, "warning")[-1]["message"]
