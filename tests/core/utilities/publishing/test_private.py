"""What is taken out of a published header, a value at a time: places that tell of a person, tokens; and what stays as it was written."""

import json
import time

import pytest

from core.utilities.publishing.private import cleaned, find_private

GONE = "[removed]"
PLACES = [
    ("/home/asmith/models/pony v9.safetensors", "pony v9.safetensors"), ("/home/asmith", GONE), ("/home/asmith/", GONE),
    ("/home/jürgen müller/bilder/10_mika", "10_mika"), ("/home/Smith, Anna/pics/10_mika", "10_mika"), ("/home/Smith, Anna", GONE),
    ("model:/home/asmith/x.safetensors", "model:x.safetensors"), ("asmith@host:/home/asmith/x.ckpt", "x.ckpt"),
    ("file:/home/asmith/pics/a", "a"), ("file:///home/asmith/pics/a", "a"), ("-o/home/asmith/out", "-oout"), ("dir=/home/asmith/out",
    "dir=out"),
    ("(/home/asmith/pics/a)", "(a)"), ("(/home/asmith)", f"({GONE})"), ("[/home/asmith/pics]", "[pics]"), ("<lora:/home/asmith/l/mika:1>",
    "<lora:mika:1>"),
    ("backup/home/asmith/pics/a", "backupa"), ("{'dir': '/home/asmith/x', 'b': 1}", "{'dir': 'x', 'b': 1}"),
    ("VAE: /home/asmith/models/vae.pt, Size: 512x512, and/or", "VAE: vae.pt, Size: 512x512, and/or"),
    ("--in /home/asmith/x --size 3/4", "--in x --size 3/4"), ("/home/asmith/one:/home/asmith/two", "one:two"),
    ("/x/asmith/pics", "pics"), ("/srv/asmith/sets/x", "x"), ("/data1/asmith/x.safetensors", "x.safetensors"), ("/mnt/asmith", GONE),
    ("/mnt/asmith/x.ckpt", "x.ckpt"), ("/media/asmith/Annas Platte", GONE), ("/run/media/asmith/Platte/pics", "pics"),
    ("~/pictures/10_mika", "10_mika"), ("~asmith/pics/10_mika", "10_mika"), ("$HOME/asmith/x", "x"), ("../../asmith/pics/10_x", "10_x"),
    ("/Users/asmith/Library/Application Support/x.pt", "x.pt"), ("/Users/Anna Smith", GONE), ("/Volumes/Anna's Disk/pics", "pics"),
    ("/Volumes/Anna Disk", GONE), ("/Users/asmith/My Pics (old)/a.png", "a.png"), ("a b/Users/asmith/x", "a bx"),
    (r"C:\Users\O'Brien\loras\x.safetensors", "x.safetensors"), (r"C:\Users\O'Brien", GONE), (r"C:\Users\Smith, Anna\pics\10_mika",
    "10_mika"),
    (r"C:\Users\anna's pc\x", "x"), (r"C:\\Users\\asmith\\x", "x"), ("C:/Users/Anna Smith/x y.pt", "x y.pt"), (r"c:\users\asmith", GONE),
    (r'"C:\Program Files (x86)\asmith\x.safetensors" --y', '"x.safetensors" --y'), (r"D:\asmith\sets\10_mika", "10_mika"),
    (r"in C:\Users\Jürgen\x.pt; D:\asmith\y.pt", "in x.pt; y.pt"), (r"%USERPROFILE%\asmith\pics", "pics"), (r"\\?\C:\Users\asmith\x", "x"),
    (r"\Users\asmith\x", "x"), (r"Users\asmith\x.png", "x.png"), (r"models\asmith\x.png", "x.png"), ("home/asmith/pics/x.png", "x.png"),
    ("/homes/asmith", GONE), ("path=/opt/asmith/x;/srv/asmith/y", "path=x;y"), (r"C:\Documents and Settings\asmith\x", "x"),
    (r"C:\Users\asmith\a / b", "a / b"),
    ("/mnt/c/Users/asmith/loras/x.safetensors", "x.safetensors"), ("/mnt/c/Users/asmith", GONE), (r"\\wsl$\Ubuntu\home\asmith\x", "x"),
    (r"\\wsl.localhost\Ubuntu\home\asmith", GONE), ("/c/Users/anna.smith/loras/x.safetensors", "x.safetensors"), ("/c/Users/asmith", GONE),
    ("/cygdrive/d/asmith/x", "x"),
    (r"\\nas01\private\asmith\pics", "pics"), (r"\\nas01\asmith", GONE), ("//nas01/private/asmith/pics", "pics"), ("//nas01/asmith", GONE),
    ("smb://nas/asmith/pics", "pics"), ("smb://asmith@nas/asmith", GONE), ("smb://asmith:secret1234@nas/asmith/pics", "pics"),
    ("sftp://nas.local/vol/asmith/x", "x"), ("s3://asmith-sets/mika/x.zip", "x.zip"),
    ("/content/drive/MyDrive/Anna Smith/loras/x.safetensors", "x.safetensors"), ("/content/drive/Shareddrives/Smith, Anna/x", "x"),
    ("/workspace/asmith/kohya_ss/models/sd_xl_base_1.0.safetensors", "sd_xl_base_1.0.safetensors"), ("/runpod-volume/asmith/x", "x"),
    ("/kaggle/input/asmith-set/x", "x"), ("http://127.0.0.1:7860/file=/home/asmith/x.png", "http://127.0.0.1:7860/file=x.png"),
]
TOKENS = [
    ("github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz", GONE), ("rpa_ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", GONE),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", GONE), ("Authorization: Bearer abcdefghijklmnop123456", f"Authorization: Bearer {GONE}"),
    ("--wandb_api_key 0123456789abcdef0123456789abcdef01234567", f"--wandb_api_key {GONE}"), ("hf_abcdefghijklmnopqrst", GONE),
    ("https://anna:hunter2hunter2@host.de/x", f"https://{GONE}@host.de/x"), ("api_key=abcdef0123456789", f"api_key={GONE}"),
    ("HF_TOKEN=a1b2c3d4e5f6a7b8c9", f"HF_TOKEN={GONE}"), ("password: hunter2hunter2", f"password: {GONE}"),
    ("https://host.de/x?token=a1b2c3d4e5f6a7b8", f"https://host.de/x?token={GONE}"),
]
ORDINARY = [
    "Fate / Stay / Night", "Fate/Grand Order", "red hair / blue eyes / smile", "9 / 10 / great", "use it at 0.8 / 1.0 / 1.2",
    "anime / manga / comics",
    "and/or", "3/4", "512/768", "1/2, mask/face", "w/ glasses, w/o hat", "24/7/365", "2026/01/12", "12.01.2026", "2026-01-12T10:30:00",
    "12:30:00",
    "at work/home/school", "he/him/they", "black-forest-labs/FLUX.1-dev",
    "https://huggingface.co/a/b/resolve/main/x.safetensors?download=true",
    "https://huggingface.co/Users/home/x", "see https://civitai.com/models/123/home/mika", "hf://me/mika/x",
    r"mika \(girl\), \(fate/stay night\)",
    "/o/, \\o/, :/", ":/ and :D, D:, c:", r"\o/ \m/", "[a cat:a dog:0.5]", "(mika:1.2), {red|blue/green}", "</b> or <br/>",
    "[page](/docs/use/it)",
    "ratio a: /b c/d e", "trigger_token: mikachan_red_scarf", "keep_tokens_separator, token=unconditional_x", "secret: hatsunemikuvocaloid",
    "class_token=1990s_city_girl_style", "the password: please", "sword bearer of the extraordinarygentlemen", "O'Brien, a man",
    "~nya~ ~ 3",
    "networks.lora", "0.0001", "9e-05", "100%/50%", "$5/piece", "a, b, c", "mika...", "AT&T", "mika@2x", "-o -i", "1~2/3", "km/h",
    "\u00bd/\u00bc",
]


def left_of(text: str, key: str = "ss_training_comment") -> str:
    return cleaned({key: text}, ())[key]


@pytest.mark.parametrize(("text", "wanted"), PLACES + TOKENS)
def test_of_a_place_its_last_part_stays_and_of_a_token_nothing(text, wanted):
    assert left_of(text) == wanted
    assert find_private({"k": text}, ()) and find_private({"k": wanted}, ()) == []


@pytest.mark.parametrize(("text", "wanted"), PLACES + TOKENS)
def test_it_is_found_in_json_and_in_python_as_well(text, wanted):
    assert json.loads(left_of(json.dumps({"a": [text]}))) == {"a": [wanted]}
    assert json.loads(left_of(" " + json.dumps({text: 1}))) == {wanted: 1}
    if '"' not in text:
        assert not any(word in left_of(json.dumps({"dir": text, "b": 1})[:-1]).lower() for word in ("smith", "brien", "jürgen", "hunter"))


@pytest.mark.parametrize("text", ORDINARY)
@pytest.mark.parametrize("key", ["ss_training_comment", "modelspec.title"])
def test_ordinary_words_stay_letter_by_letter(text, key):
    assert left_of(text, key) == text and find_private({key: text}, ()) == []
    assert left_of(json.dumps({text: [text]})) == json.dumps({text: [text]})


def test_two_folders_with_one_last_name_stay_two():
    new = left_of(json.dumps({"/home/a/set": {"x": 1}, "/home/b/set": {"y": 2}, "set": {"z": 3}}), "ss_tag_frequency")
    assert json.loads(new) == {"set (2)": {"x": 1}, "set (3)": {"y": 2}, "set": {"z": 3}}


def test_what_only_might_be_a_place_stays_where_a_person_wrote_on_purpose():
    said = dict.fromkeys(("modelspec.title", "modelspec.description", "modelspec.trigger_phrase"), "in /blush/pout/smile")
    assert cleaned(said, ()) == said and {one.key for one in find_private(said, ())} == set(said)
    assert left_of("in /home/asmith/x", "modelspec.description") == "in x" and left_of("in /blush/pout/smile") == "in smile"


@pytest.mark.parametrize("text", ["/" + "a " * 20_000, "/aa" * 20_000, " /ab c" * 5_000, "C:\\" + "a\\" * 20_000, "x" * 200_000,
                                  "/home/" * 20_000,
                                  "~a/" * 20_000, "a@" * 50_000, "(/home/a" * 5_000, "a:" * 50_000, "'" * 50_000, "../" * 20_000,
                                  "://" * 30_000])
def test_long_values_are_read_in_a_moment(text):
    begin = time.process_time()
    cleaned({"k": text}, ("anna",))
    find_private({"k": text}, ("anna",))
    assert time.process_time() - begin < 1.5
