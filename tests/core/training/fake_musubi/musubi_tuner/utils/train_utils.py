"""Names and states, as the real one has them."""

import shutil
from pathlib import Path

EPOCH_STATE_NAME = "{}-{:06d}-state"
LAST_STATE_NAME = "{}-state"
STEP_STATE_NAME = "{}-step{:08d}-state"


def get_epoch_ckpt_name(name, epoch):
    return f"{name}-{epoch:06d}.safetensors"


def get_step_ckpt_name(name, step):
    return f"{name}-step{step:08d}.safetensors"


def get_remove_epoch_no(args, epoch):
    if args.save_last_n_epochs is None:
        return None
    old = epoch - args.save_every_n_epochs * args.save_last_n_epochs
    return None if old < 0 else old


def get_remove_step_no(args, step):
    if args.save_last_n_steps is None:
        return None
    old = step - args.save_last_n_steps - 1
    old -= old % args.save_every_n_steps
    return None if old < 0 else old


def save_and_remove_state_on_epoch_end(args, accelerator, epoch):
    accelerator.save_state(str(Path(args.output_dir) / EPOCH_STATE_NAME.format(args.output_name, epoch)))
    if args.save_last_n_epochs_state:
        old = Path(args.output_dir) / EPOCH_STATE_NAME.format(args.output_name, epoch - args.save_last_n_epochs_state)
        shutil.rmtree(old, ignore_errors=True)


def save_and_remove_state_stepwise(args, accelerator, step):
    accelerator.save_state(str(Path(args.output_dir) / STEP_STATE_NAME.format(args.output_name, step)))


def save_state_on_train_end(args, accelerator):
    accelerator.save_state(str(Path(args.output_dir) / LAST_STATE_NAME.format(args.output_name)))
