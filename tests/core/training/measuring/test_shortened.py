"""What a short run is told: the planned settings, with another length, and nothing that acts outside of its folder."""

from core.training.config import Subset, TrainingSettings
from core.training.measuring.marks import differing, marks_of
from core.training.measuring.shortened import STEPS, heaviest_prompt, shortened

SUBSET = Subset(image_dir="/copies", num_repeats=6)


def planned(**parts):
    settings = TrainingSettings().with_values(
        model={"pretrained_model_name_or_path": "/models/a.safetensors"}, data={"subsets": [Subset(image_dir="/own", num_repeats=9)]},
        sampling={"sample_prompts": ["small --w 64 --h 64 --s 10", "large --w 512 --h 512 --s 30", "many --s 20"]})
    return settings.with_values(**parts)


def test_what_takes_memory_and_time_in_a_step_stays():
    settings = planned(memory={"mixed_precision": "bf16"}, network={"network_dim": 48}, optimizer={"optimizer_type": "Prodigy"},
                       schedule={"gradient_accumulation_steps": 4}, data={"batch_size": 3})
    short = shortened(settings, SUBSET)
    for part in ("model", "network", "optimizer", "loss", "memory"):
        assert getattr(short, part) == getattr(settings, part)
    assert (short.data.batch_size, short.schedule.gradient_accumulation_steps) == (3, 4)
    assert short.data.subsets == [SUBSET] and short.schedule.max_train_epochs == 1 and short.schedule.max_train_steps is None


def test_one_sample_of_the_heaviest_prompt_and_one_save_are_made():
    short = shortened(planned(saving={"save_every_n_steps": 2}), SUBSET)
    assert [prompt.prompt for prompt in short.sampling.sample_prompts] == ["large"] and short.sampling.sample_every_n_epochs == 1
    assert short.saving.save_state_on_train_end and not short.saving.save_state
    assert short.saving.save_every_n_epochs is short.saving.save_every_n_steps is None


def test_what_the_planned_run_does_not_do_is_not_measured():
    settings = planned(sampling={"sample_every_n_epochs": None}, saving={"save_state": False})
    assert heaviest_prompt(settings) is None
    short = shortened(settings, SUBSET)
    assert short.sampling.sample_prompts == [] and not short.saving.save_state_on_train_end


def test_nothing_is_sent_away_and_nothing_is_resumed():
    extra = ['huggingface_repo_id = "me/mine"', 'wandb_api_key = "x"', "ddp_timeout = 30"]
    settings = planned(logging={"log_with": "all"}, saving={"resume": "/somewhere/a-state"}, extra={"extra_options": extra})
    short = shortened(settings, SUBSET)
    assert short.logging.log_with is None and short.saving.resume is None and short.extra.extra_options == ["ddp_timeout = 30"]


def test_of_several_machines_only_this_one_takes_part():
    together = {"num_processes": 6, "num_machines": 3, "machine_rank": 2, "main_process_ip": "10.0.0.4", "gpu_ids": "0,1"}
    machines = shortened(planned(machines=together), SUBSET).machines
    assert (machines.num_processes, machines.machines, machines.is_main, machines.main_process_ip) == (2, 1, True, None)
    assert machines.gpus == (0, 1) and shortened(planned(machines={"num_processes": 4}), SUBSET).machines.num_processes == 4


def test_a_warm_up_that_is_longer_than_the_short_run_is_left_out():
    assert shortened(planned(schedule={"lr_warmup_steps": 500}), SUBSET).schedule.lr_warmup_steps == 0 and STEPS == 3


def test_a_measurement_holds_while_only_length_rates_repeats_and_captions_change():
    measured = marks_of(planned(), "builtin")
    other = planned(schedule={"max_train_epochs": 3, "lr_scheduler": "constant"}, optimizer={"learning_rate": 3e-5},
                    saving={"output_name": "else", "save_every_n_epochs": 2}, data={"shuffle_caption": False, "num_repeats": 4},
                    logging={"log_config": True}, sampling={"sample_prompts": ["another"]})
    assert differing(measured, marks_of(other, "builtin")) == []


def test_it_is_of_other_settings_once_memory_or_time_hang_on_the_change():
    measured = marks_of(planned(), "builtin")
    changed = {"data": {"batch_size": 3, "resolution": 768}, "network": {"network_dim": 64}, "memory": {"gradient_checkpointing": False}}
    words = differing(measured, marks_of(planned(**changed), "builtin"))
    assert words == ["Resolution (512 then, 768 now)", "Batch size (2 then, 3 now)",
                     f"Rank ({planned().network.network_dim} then, 64 now)", "Save memory (on then, off now)"]
    assert differing(measured, marks_of(planned(), "sd-scripts")) == ["the trainer (builtin then)"]


def test_a_rate_of_nothing_is_another_training():
    measured = marks_of(planned(optimizer={"text_encoder_lr": 1e-5}), "builtin")
    assert differing(measured, marks_of(planned(optimizer={"text_encoder_lr": 2e-5}), "builtin")) == []
    assert len(differing(measured, marks_of(planned(optimizer={"text_encoder_lr": 0.0}), "builtin"))) == 1


def test_samples_and_states_may_be_left_out_later_but_not_come_newly():
    without = planned(sampling={"sample_prompts": []}, saving={"save_state": False})
    assert differing(marks_of(planned(), "builtin"), marks_of(without, "builtin")) == []
    assert differing(marks_of(without, "builtin"), marks_of(planned(), "builtin")) == \
        ["Save to go on (off then, on now)", "Sample prompts (off then, on now)"]
