"""When what happened: read from lines as the trainers print them, in their order."""

import pytest

from core.base.progress import Progress
from core.training.measuring.stage import tell
from core.training.measuring.timeline import Moment, Timeline

SD_SCRIPTS = """
0 INFO prepare images.
2 loading model for process 0/1
8 caching latents with caching strategy.
8.1 checking cache validity...
8.2 100%|██████████| 4/4 [00:00<00:00, 9000.00it/s]
8.5 caching latents...
8.6   0%|          | 0/4 [00:00<?, ?it/s]
10.6  25%|██▌       | 1/4 [00:02<00:06,  2.00s/it]
11.6  50%|█████     | 2/4 [00:03<00:02,  1.00s/it]
12.6  75%|███████▌  | 3/4 [00:04<00:01,  1.00s/it]
13.6 100%|██████████| 4/4 [00:05<00:00,  1.00s/it]
15 import network module: networks.lora
16 running training / 学習開始
16   num batches per epoch / 1epochのバッチ数: 3
16   total optimization steps / 学習ステップ数: 3
20 steps:   0%|          | 0/3 [00:00<?, ?it/s]
20.1 epoch 1/1
25 steps:  33%|███▎      | 1/3 [00:05<00:10,  5.00s/it]
25 steps:  33%|███▎      | 1/3 [00:05<00:10,  5.00s/it, avr_loss=0.1]
27 steps:  67%|██████▋   | 2/3 [00:07<00:03,  3.50s/it, avr_loss=0.1]
29 steps: 100%|██████████| 3/3 [00:09<00:00,  3.00s/it, avr_loss=0.1]
30 generating sample images at step / サンプル画像生成 ステップ: 3
30.1   0%|          | 0/28 [00:00<?, ?it/s]
34 100%|██████████| 28/28 [00:04<00:00,  7.00it/s]
35 saving last state.
36 saving checkpoint: /out/cat.safetensors
37 model saved.
"""


def played(text):
    timeline = Timeline(0.0)
    for line in filter(None, text.split("\n")):
        when, _, words = line.partition(" ")
        timeline.feed(words, float(when))
    return timeline


def test_phases_steps_and_encoded_pictures_of_sd_scripts_are_seen():
    timeline = played(SD_SCRIPTS)
    assert [(moment.kind, moment.time) for moment in timeline.moments] == [
        ("load", 0), ("encode", 8), ("load", 15), ("train", 20), ("sample", 30), ("save", 35)]
    assert timeline.steps == {0: 20, 1: 25, 2: 27, 3: 29}
    bar = timeline.bars["encode"]
    assert (bar.first, bar.last, bar.total) == ((10.6, 1), (13.6, 4), 4)


def test_what_was_encoded_ends_with_its_last_picture():
    assert played(SD_SCRIPTS).spent("encode") == pytest.approx(5.6)


def test_steps_that_the_trainer_tells_itself_go_before_printed_ones():
    timeline = played("0 running training\n1 caching latents...\n2 epoch 1/1\n9 steps:  33%|###| 1/3 [00:05<00:10,  5.00s/it]")
    for step in (1, 2, 3):
        timeline.hear({"event": "step", "step": step, "time": 10.0 + step})
    timeline.feed("steps: 100%|###| 3/3 [00:05<00:10,  5.00s/it, avr_loss=0.1]", 99.0)
    assert timeline.steps == {0: 2, 1: 11, 2: 12, 3: 13}
    assert [moment.kind for moment in timeline.moments] == ["load", "encode", "train"]


def test_the_stages_of_musubi_tuner_are_told_apart():
    timeline = played("0 === stage 1 of 3: encoding pictures ===\n5 === stage 2 of 3: reading captions ===\n"
                      "8 === stage 3 of 3: training ===\n9 steps:   0%|          | 0/3 [00:00<?, ?it/s]")
    assert [moment.kind for moment in timeline.moments] == ["encode", "captions", "load", "train"]
    assert timeline.spent("encode") == 5 and timeline.spent("captions") == 3


def test_the_place_in_the_way_never_goes_back():
    places = []
    for way in (["load", "encode", "load", "train", "sample", "save"], ["encode", "captions", "load", "train", "save", "sample"]):
        timeline, told = Timeline(0.0), Progress()
        for kind in way:
            timeline.moments.append(Moment(0.0, kind))
            for step in range(3) if kind == "train" else [timeline.step]:
                timeline.steps[step] = 0.0
                tell(timeline, told)
                places.append((told.done, told.what))
    assert [place for place, _ in places[:8]] == sorted(place for place, _ in places[:8]) == [0, 1, 3, 3, 4, 5, 6, 7]
    assert [words for _, words in places[8:]] == ["Encoding the pictures", "Reading the captions", "Getting ready", "Step 1 of 3",
                                                  "Step 2 of 3", "Step 3 of 3", "Saving", "Drawing a sample"]
    assert [place for place, _ in places[8:]] == [1, 2, 3, 3, 4, 5, 6, 7]
