"""Model families as far as captions go: what a caption should look like, who reads it, and how much of it.

The one table of both sides. Lengths: kohya-ss/sd-scripts at 48d368fa (library/strategy_*.py) and kohya-ss/musubi-tuner (flux_2, qwen_image,
zimage, hunyuan_image utilities); words of quality and rating: the models' own pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from core.base.errors import ConfigError

TrainedFamily = Literal["sd15", "sd2", "sdxl", "sd3", "flux1", "chroma", "lumina2", "hunyuan_image", "anima",
                        "flux2_dev", "flux2_klein", "qwen_image", "z_image", "flux1_kontext"]
"""Families that the training side trains; those of `core.diffusion.FAMILIES` also without sd-scripts."""
TRAINED: tuple[str, ...] = get_args(TrainedFamily)
FamilyName = Literal["sd15", "sd2", "sdxl", "illustrious", "noobai", "animagine", "pony", "sd3", "flux1", "flux2_klein", "flux2_dev",
                     "chroma", "lumina2", "hunyuan_image", "anima", "qwen_image", "z_image", "flux1_kontext"]
"""Families that captions may be written for. Those made of another one (Pony of SDXL) are trained as that."""
TokenizerName = Literal["clip", "t5", "gemma", "qwen", "mistral"]
Style = Literal["tags", "prose", "either"]
RATINGS: Mapping[str, tuple[str, ...]] = {
    "general": ("general", "safe", "rating_safe", "rating:general", "rating:safe", "rating:g"),
    "sensitive": ("sensitive", "rating:sensitive", "rating:s"),
    "questionable": ("questionable", "nsfw", "rating_questionable", "rating:questionable", "rating:q"),
    "explicit": ("explicit", "rating_explicit", "rating:explicit", "rating:e")}
"""How far a picture goes, as Danbooru and the WD taggers say it → how it is written, in any family."""
DANBOORU = {name: name for name in RATINGS}
SAFE_TO_EXPLICIT = {"general": "safe", "sensitive": "sensitive", "questionable": "nsfw", "explicit": "explicit"}
SCORES_UP = ("score_9", *(f"score_{number}_up" for number in (8, 7, 6, 5, 4)))
SOURCES = tuple(f"source_{name}" for name in ("pony", "furry", "anime", "cartoon"))
LOOSE_QUALITY = ("high quality", "medium quality", "amazing quality", "average quality")
"""Words of praise that prompts are full of; a model that was not trained with them reads them as words of the picture."""


@dataclass(frozen=True)
class Reader:
    """A text encoder, and how much of a caption reaches it."""

    tokenizer: TokenizerName
    limit: int
    """Tokens as its trainer counts them, unless the training says otherwise."""
    around: int = 0
    """How many of these are no caption: an end mark, a chat's frame."""
    argument: str = ""
    """sd-scripts' argument that sets the limit; empty: it is fixed."""
    choices: tuple[int, ...] = ()
    """Usual limits, where there are several."""
    preset: int = 0
    """The limit that Trainer's presets set; 0: they leave it as it is."""

    @property
    def reads(self) -> int:
        """Tokens of the caption that are read."""
        return self.limit - self.around


@dataclass(frozen=True)
class CaptionFamily:
    """What a family wants of captions."""

    name: str
    title: str
    style: Style
    readers: tuple[Reader, ...]
    """What is beyond the first one's limit is lost. The others read their part of it, or as much."""
    about: str
    """One or two sentences on its captions, for a person."""
    mixes: bool = False
    """Tags and sentences may stand side by side."""
    quality: tuple[str, ...] | None = None
    """Quality tags that it knows, letter by letter; None: not known, or another one for each model."""
    ratings: Mapping[str, str] | None = None
    """How it writes the ratings of `RATINGS`; None: not known."""

    @property
    def reader(self) -> Reader:
        """The one whose limit decides."""
        return self.readers[0]

    def own_words(self) -> tuple[str, ...]:
        """Quality and rating tags that it knows."""
        return (*(self.quality or ()), *(self.ratings or {}).values())


CLIP = Reader("clip", 75, argument="max_token_length", choices=(75, 150, 225), preset=225)
"""75 a time, two or three times where max_token_length says so; begin and end come on top."""
CLIP_ONCE = Reader("clip", 75)
"""77 with begin and end, and never more."""
T5 = Reader("t5", 512, around=1, argument="t5xxl_max_token_length", choices=(256, 512))
_ANIME = "It was trained on Danbooru's tags: write tags, the trigger word first."
_PROSE = "Write sentences that say what is to be seen; lists of tags teach it badly."


def _sdxl(name: str, title: str, about: str, quality: tuple[str, ...], ratings: Mapping[str, str] | None) -> CaptionFamily:
    return CaptionFamily(name, title, "tags", (CLIP,), about, quality=quality, ratings=ratings)


_ALL = (
    CaptionFamily("sd15", "Stable Diffusion 1.5", "either", (CLIP,),
                  "It takes tags (anime models) or short sentences (realistic ones), but not mixed."),
    CaptionFamily("sd2", "Stable Diffusion 2", "either", (CLIP,), "It takes tags or short sentences, but not mixed."),
    CaptionFamily("sdxl", "SDXL", "either", (CLIP,),
                  "It takes tags or sentences, but not mixed. Models made of it have words of their own: choose yours where it is listed."),
    _sdxl("illustrious", "Illustrious (SDXL)", _ANIME,
          ("masterpiece", "best quality", "good quality", "average quality", "bad quality", "worst quality"), DANBOORU),
    _sdxl("noobai", "NoobAI (SDXL)", _ANIME,
          ("masterpiece", "best quality", "good quality", "normal quality", "worst quality", "very awa", "worst aesthetic"), None),
    _sdxl("animagine", "Animagine (SDXL)", _ANIME,
          ("masterpiece", "best quality", "great quality", "good quality", "normal quality", "low quality", "worst quality",
           "very aesthetic", "aesthetic", "displeasing", "very displeasing", "high score", "great score", "good score", "average score",
           "bad score", "low score"), SAFE_TO_EXPLICIT),
    _sdxl("pony", "Pony V6 (SDXL)", "It was trained on tags with sentences before them: write tags, the trigger word first. Its words for "
          "quality, source and rating are written with underscores (score_9, rating_safe).",
          (*SCORES_UP, *SOURCES),
          {"general": "rating_safe", "sensitive": "rating_safe", "questionable": "rating_questionable", "explicit": "rating_explicit"}),
    CaptionFamily("sd3", "Stable Diffusion 3 and 3.5", "prose",
                  (Reader("t5", 256, 1, "t5xxl_max_token_length", (256, 512)), CLIP_ONCE), _PROSE, quality=()),
    CaptionFamily("flux1", "FLUX.1", "prose", (T5, CLIP_ONCE), f"{_PROSE} FLUX.1 schnell reads 256 tokens.", quality=()),
    CaptionFamily("flux2_klein", "FLUX.2 klein", "prose", (Reader("qwen", 512, 12),), _PROSE, quality=()),
    CaptionFamily("flux2_dev", "FLUX.2 dev", "prose", (Reader("mistral", 512, 36),), _PROSE, quality=()),
    CaptionFamily("chroma", "Chroma", "either", (T5,), "It was trained on sentences and on tags; both may stand in one caption.",
                  mixes=True),
    CaptionFamily("lumina2", "Lumina 2", "prose", (Reader("gemma", 256, 1, "gemma2_max_token_length", (256, 512)),),
                  f"{_PROSE} A system_prompt counts as well. Its anime models (Neta) also read tags: choose 'tags' or 'prose' then.",
                  mixes=True),
    CaptionFamily("hunyuan_image", "HunyuanImage 2.1", "prose", (Reader("qwen", 1024, 1),),
                  f"{_PROSE} Words in quotation marks are drawn as text.", quality=()),
    CaptionFamily("anima", "Anima", "either", (Reader("t5", 512, 1, "t5_max_token_length"),
                                               Reader("qwen", 512, 0, "qwen3_max_token_length")),
                  "It was trained on Danbooru's tags, on sentences, and on both together. Its scores are written with underscores "
                  "(score_7).", mixes=True,
                  quality=("masterpiece", "best quality", "good quality", "normal quality", "low quality", "worst quality",
                           *(f"score_{number}" for number in range(9, 0, -1))), ratings=SAFE_TO_EXPLICIT),
    CaptionFamily("qwen_image", "Qwen-Image", "prose", (Reader("qwen", 1024, 5),),
                  f"{_PROSE} Words in quotation marks are drawn as text.", quality=()),
    CaptionFamily("z_image", "Z-Image", "prose", (Reader("qwen", 512, 8),), _PROSE, quality=()),
    CaptionFamily("flux1_kontext", "FLUX.1 Kontext", "prose", (Reader("t5", 512, around=1), CLIP_ONCE),
                  "It changes pictures: write what is to be done to the first one, as 'make the hat red'.", quality=()),
)
CAPTION_FAMILIES: Mapping[str, CaptionFamily] = {family.name: family for family in _ALL}
ALL_QUALITY = tuple(dict.fromkeys([*(word for family in _ALL for word in family.quality or ()), *LOOSE_QUALITY]))
"""Quality tags of any family."""


def caption_family(name: str) -> CaptionFamily:
    """What a family wants of captions. Raises: ConfigError: there is none of that name."""
    if name not in CAPTION_FAMILIES:
        raise ConfigError(f"No model family is called {name!r}.", f"Known: {', '.join(CAPTION_FAMILIES)}.")
    return CAPTION_FAMILIES[name]
