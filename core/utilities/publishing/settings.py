"""What is published, under which name and licence, and where to."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import field_validator

from core.base.errors import ConfigError
from core.base.hub import written_name
from core.base.paths import typed_path
from core.base.settings import Settings, setting

Where = Literal["hub", "folder", "zip"]
PLACE = "published"
"""Folder of a project in which lies what is uploaded by hand."""
ON_HUB = {"to": ("hub",)}


class PublishSettings(Settings):
    """What is published, and where to. The token is no setting: it comes from the environment or the panel's hidden field."""

    title: ClassVar[str] = "Publish"

    file: str = setting(..., "LoRA file", "A .safetensors file, or the folder of a run, whose finished LoRA is meant then.")
    further: tuple[str, ...] = setting((), "Further files", "Other .safetensors files of the same LoRA, such as earlier epochs.",
                                       level="advanced")
    name: str = setting("", "Title", "On its page. Empty: as the file calls itself.", max_length=120)
    description: str = setting("", "Description", "What it draws, what it is good at, and what it is not. Empty: as the file says.",
                               max_length=20_000)
    trigger: str = setting("", "Trigger words", "What a prompt needs to call it. Empty: as the file says.", max_length=400)
    author: str = setting("", "Author", "Empty: as the file says; it may stay unnamed.", max_length=120, level="advanced")
    tags: str = setting("", "Tags", "Separated by commas, such as anime, character. Empty: as the file says.", max_length=400)
    base: str = setting("", "Base model", "A name of the list, owner/name on Hugging Face, or what it is called. Empty: as the file says.")
    base_licence: str = setting("", "Licence of the base model", "Only where the base model is not in the list.", max_length=120,
                                level="advanced")
    licence: str = setting("", "Licence of the LoRA", "Of the list, or Hugging Face's short name of another one. Empty: as the file "
                           "says, else that of the base model.", max_length=120)
    strength: float = setting(1.0, "Usual strength", "With which it is best used.", ge=-4, le=4)
    samples: tuple[str, ...] = setting((), "Samples", "Pictures, one a line; a prompt may follow: picture.png | a cat. Empty: those of "
                                       "Before and after, else those that were drawn in training.")
    samples_from: Literal["auto", "evaluation", "training", "none"] = setting(
        "auto", "Take samples from", "evaluation: Before and after. training: those that were drawn last. auto: the first that has some.",
        level="advanced")
    most_samples: int = setting(8, "Most samples", "Of those that are found by themselves.", ge=1, le=20, level="advanced")
    sample_size: int = setting(2048, "Longest side of samples", "Larger ones are published smaller; yours stay as they are.", unit="px",
                               ge=256, le=8192, level="advanced")
    adults: bool = setting(False, "Not for all audiences", "Hugging Face shows a warning before its page; on Civitai you mark it so.")
    clean_metadata: bool = setting(True, "Take private places out", "Folders of your machine, your user name and tokens are taken out of "
                                   "the published copy. Your own file stays as it is.")
    to: Where = setting("hub", "Publish to", "hub: Hugging Face. folder, zip: everything that Civitai asks for, to be uploaded by hand.")
    repo_id: str = setting("", "Repository", "As owner/name; a name alone is made in your own account. Empty: after the title. The token "
                           "comes from HF_TOKEN in the environment, or from 'hf auth login'.", only=ON_HUB)
    private: bool = setting(True, "Private repository", "Only you can see it, until you change that on its page. One of that name that "
                            "everybody can see is refused as long as this is on.", only=ON_HUB)
    pull_request: bool = setting(False, "As a pull request", "Nothing changes in the repository before somebody accepts it there. Also "
                                 "the way into one that belongs to somebody else.", only=ON_HUB)
    existing: Literal["stop", "update"] = setting(
        "stop", "If the name is taken", "stop: a repository with other content stays as it is. update: files of the same names are "
        "replaced there, and samples that the page shows no more go; its history keeps the old ones.", only=ON_HUB)
    save_to: str = setting("", "Save as", "Empty: into the folder published of the project that the file lies in, else beside the file, "
                           "with -civitai in its name, and a number where that is taken. What is there is not written over.",
                           only={"to": ("folder", "zip")})

    @field_validator("repo_id")
    @classmethod
    def _is_a_repository(cls, value: str) -> str:
        return written_name(value, "A repository on Hugging Face")

    def paths(self) -> list[Path]:
        """The chosen files, each once. Raises: ConfigError: none is named, or two have one name."""
        given = [self.file, *self.further]
        if not self.file.strip():
            raise ConfigError("No LoRA file is named.", "Choose the one that is to be published.")
        found = list(dict.fromkeys(typed_path(text) for text in given if text.strip()))
        names = [path.name for path in found]
        if twice := next((name for name in names if names.count(name) > 1), ""):
            raise ConfigError(f"Two of the files are called {twice}.", "Rename one of them: they come into one folder.")
        return found
