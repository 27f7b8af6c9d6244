"""The loop, as the real one counts: always from zero, also after a resume."""

import math
import sys
from pathlib import Path

from accelerate import Accelerator

from musubi_tuner.files import obey, write_safetensors
from musubi_tuner.utils import sai_model_spec, train_utils

BATCHES = 4


class NetworkTrainer:
    def get_lr_scheduler(self, args, optimizer, processes):
        return {"whole": args.max_train_steps}

    def on_post_optimizer_step(self, args, accelerator, network, transformer, sync, step):
        pass

    def sample_image_inference(self, accelerator, args, transformer, dtype, vae, folder, parameter, epoch, steps):
        when = f"e{epoch:06d}" if epoch is not None else f"{steps:06d}"
        (Path(args.output_dir) / "sample").mkdir(exist_ok=True)
        (Path(args.output_dir) / "sample" / f"{args.output_name}_{when}_00_20260101120000_42_000.png").write_bytes(b"x")

    def train(self, args):
        assert args.sdpa or args.flash_attn or args.xformers
        assert not args.fp8_scaled or args.fp8_base
        accelerator = Accelerator(Path(args.logging_dir) / "logged.jsonl")
        if args.max_train_epochs is not None:
            args.max_train_steps = args.max_train_epochs * BATCHES
        schedule = self.get_lr_scheduler(args, None, 1)
        if args.resume:
            accelerator.load_state(args.resume)
        epochs = math.ceil(args.max_train_steps / BATCHES)
        accelerator.print("running training / 学習開始")
        accelerator.print(f"  num train items / 学習画像、動画数: {BATCHES}")
        accelerator.print(f"  num batches per epoch / 1epochのバッチ数: {BATCHES}")
        accelerator.print(f"  num epochs / epoch数: {epochs}")
        accelerator.print(f"  total optimization steps / 学習ステップ数: {args.max_train_steps}")
        step = 0
        for epoch in range(epochs):
            accelerator.print(f"\nepoch {epoch + 1}/{epochs}")
            for _ in range(BATCHES):
                self.on_post_optimizer_step(args, accelerator, None, None, True, step)
                step += 1
                accelerator.last_epoch += 1
                accelerator.log({"loss/current": 1 / step, "lr/unet": accelerator.last_epoch / schedule["whole"]}, step=step)
                bar = f"{100 * step // args.max_train_steps:3d}%|###| {step}/{args.max_train_steps} [00:02<00:30,  2.77s/it, avr_loss=0.5]"
                print(f"\rsteps: {bar}", end="", file=sys.stderr, flush=True)
                if step >= args.max_train_steps:
                    break
            accelerator.log({"loss/epoch": 0.5}, step=epoch + 1)
            if args.save_every_n_epochs and epoch + 1 < epochs:
                self.save(args, accelerator, train_utils.get_epoch_ckpt_name(args.output_name, epoch + 1))
                old = train_utils.get_remove_epoch_no(args, epoch + 1)
                if old is not None:
                    (Path(args.output_dir) / train_utils.get_epoch_ckpt_name(args.output_name, old)).unlink(missing_ok=True)
                if args.save_state:
                    train_utils.save_and_remove_state_on_epoch_end(args, accelerator, epoch + 1)
            self.sample_image_inference(accelerator, args, None, None, None, None, None, epoch + 1, step)
            if epoch == 0 and not args.resume:
                obey("training")
        if args.save_state:
            train_utils.save_state_on_train_end(args, accelerator)
        self.save(args, accelerator, args.output_name + ".safetensors")

    def save(self, args, accelerator, name):
        Path(args.output_dir).mkdir(parents=True, exist_ok=True)
        accelerator.print(f"\nsaving checkpoint: {Path(args.output_dir) / name}")
        said = sai_model_spec.build_metadata(None, "f2k9b", 0.0, args.metadata_title or args.output_name)
        write_safetensors(Path(args.output_dir) / name, metadata=said)
