"""The built-in trainer: reads the same TOML pair as sd-scripts, needs no checkout, runs on a CPU or a GPU.

It runs in a process of its own; its door is `custom/train_lora.py`. `options` reads the pair, `dataset`, `captions`
and `latents` prepare the data (buckets: `core.base.buckets`), `network` holds the LoRA, `loss` the diffusion arithmetic, `loop` trains,
`state`, `metadata` and `events` write, `main` puts them together.
"""
