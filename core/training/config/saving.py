"""What is written, where and how often, and what the file says about itself."""

from __future__ import annotations

from typing import ClassVar, Literal

from core.base.settings import SET, setting
from core.training.config.part import Part


class SavingSettings(Part):
    """What is written and how often, and what the file says about itself."""

    title: ClassVar[str] = "Saving"
    section: ClassVar[str] = "saving"

    output_name: str = setting("lora", "Name", "Name of the LoRA file, without ending.", min_length=1, pattern=r"^[^/\\:*?\"<>|\r\n]+$")
    save_every_n_epochs: int | None = setting(1, "Save every … epochs", "A file after so many epochs, to compare them later. Empty: not.",
                                              unit="epochs", ge=1, source="training-reference: each epoch, keep 10")
    save_every_n_steps: int | None = setting(None, "Save every … steps", "A file after so many steps.", level="advanced", unit="steps",
                                             ge=1)
    save_last_n_epochs: int | None = setting(10, "Keep the last", "Older files of epochs are removed. Empty keeps all.", level="advanced",
                                             unit="epochs", ge=1)
    save_precision: Literal["float", "fp16", "bf16"] | None = setting("fp16", "Precision of the file", "fp16 is read everywhere.",
                                                                      level="advanced")
    save_last_n_steps: int | None = setting(None, "Keep the last … steps", "Older files of steps are removed. Empty keeps all.",
                                            level="expert", unit="steps", ge=1, only={"save_every_n_steps": SET})
    save_n_epoch_ratio: int | None = setting(None, "Files in all", "So many files over the whole length, instead of every n-th epoch.",
                                             level="expert", ge=1)
    save_state: bool = setting(True, "Save to go on",
                               "Also keep the optimizer's state at each save, so that a run can go on after a stop or a crash.",
                               level="advanced")
    save_last_n_epochs_state: int | None = setting(1, "Keep states of the last",
                                                   "Older ones are removed: a state takes three to six times the room of the LoRA file. "
                                                   "Empty: as many as files.", level="advanced", unit="epochs", ge=1)
    save_last_n_steps_state: int | None = setting(1, "Keep states of the last … steps", "The same for saves by steps; 1 keeps the newest.",
                                                  level="expert", unit="steps", ge=1)
    save_state_on_train_end: bool = setting(False, "Save to resume at the end", "Keep the state once, at the end.", level="advanced")
    resume: str | None = setting(None, "Resume from", "A saved state folder (NAME-000003-state).", level="advanced")
    seed: int | None = setting(42, "Seed", "The same seed and settings give the same LoRA. Empty: another each time.", level="advanced",
                               ge=0, lt=2**32)
    training_comment: str | None = setting(None, "Comment", "Stored in the file; say the trigger word here.", level="advanced")
    metadata_title: str | None = setting(None, "Title in the file", "Shown by programs that read model metadata.", level="advanced")
    metadata_author: str | None = setting(None, "Author in the file", "Your name, if you want it there.", level="advanced")
    metadata_description: str | None = setting(None, "Description in the file", "What the LoRA draws.", level="expert")
    metadata_license: str | None = setting(None, "Licence in the file", "E.g. CC-BY-4.0.", level="expert")
    metadata_tags: str | None = setting(None, "Tags in the file", "Separated by commas.", level="expert")
    metadata_usage_hint: str | None = setting(None, "Hint in the file", "How to use it: strength, sampler.", level="expert")
    metadata_trigger_phrase: str | None = setting(None, "Trigger in the file", "The words that call it. Empty: the project's trigger word, "
                                                "where it learns from the project's pictures.", level="advanced")
    metadata_merged_from: str | None = setting(None, "Merged from", "Of a merge: the models that it was made of.", level="expert")
    no_metadata: bool = setting(False, "No metadata", "Write nothing about the training into the file.", level="expert")
    output_dir: str | None = setting(None, "Folder for the files", "Set by the run: its folder checkpoints.", level="expert")
