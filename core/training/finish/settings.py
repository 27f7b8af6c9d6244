"""What happens when a run has ended: what is uploaded and where to, what becomes of the machine, and the limits before that."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from pydantic import field_validator, model_validator

from core.base.hub import written_name
from core.base.settings import Settings, setting

Act = Literal["nothing", "stop", "destroy"]
LEAST_COUNTDOWN, LEAST_AFTER_FAILURE = 60, 5
"""Seconds of the shortest countdown, minutes of the shortest wait after a failure: long enough to be seen and to be cancelled."""
_FOLDER = re.compile(r"[\w\-][\w.\- ]*(?:/[\w\-][\w.\- ]*)*", re.ASCII)


def plain_folder(value: str) -> str:
    """A folder in a repository, without slashes around it. Raises: ValueError: it is none, or leads out of it."""
    value = value.strip().strip("/")
    if value and not _FOLDER.fullmatch(value):
        raise ValueError(f"The folder in the repository has letters, digits, '-', '_', '.' and '/', but is {value!r}.")
    return value


class FinishSettings(Settings):
    """What is done when a run has ended; by itself nothing is uploaded, and the machine stays on."""

    title: ClassVar[str] = "After the run"

    run: str = setting("", "Run", "Its id. Empty: the project's newest run.")
    repo_id: str = setting("", "Repository on Hugging Face", "As owner/name; a name alone is made in your own account. Empty: nothing is "
                           "uploaded. The token is read from HF_TOKEN in the environment, or from 'hf auth login'.")
    private: bool = setting(True, "Private repository", "Only you can see it. A repository of that name that everybody can see is refused "
                            "as long as this is on.")
    upload_lora: bool = setting(True, "Upload the finished LoRA")
    upload_epochs: bool = setting(False, "Upload the LoRA of every epoch", "Every LoRA file that the run has saved.")
    upload_samples: bool = setting(False, "Upload the samples")
    upload_state: bool = setting(False, "Upload the last state", "What is needed to train on elsewhere, with the run's settings; often "
                                 "several times as large as the LoRA.")
    state_meanwhile: bool = setting(False, "Upload each state while it trains", "So that the training can go on elsewhere when this "
                                    "machine is taken away. Needs a repository.", level="advanced")
    upload_report: bool = setting(False, "Upload the report")
    folder: str = setting("", "Folder in the repository", "Empty: a folder with the run's id, so that no two runs meet.", level="advanced")
    then: Act = setting("nothing", "Then the machine", "Stopped (stop): what the provider keeps stays. Destroyed (destroy): everything on "
                        "it is lost. Neither happens before every chosen file was verified at the far end.")
    countdown: int = setting(300, "Countdown", "How long you can still keep the machine on.", unit="seconds", ge=LEAST_COUNTDOWN, le=86400)
    lose_the_rest: bool = setting(False, "What other runs left here may be lost", "Without it the machine is not given up while another "
                                  "run has LoRA files that were not verified at the far end.")
    after_failure: Literal["leave", "stop"] = setting(
        "leave", "If the run fails", "The machine stays on (leave), or is stopped after a while (stop). It is never destroyed then.",
        level="advanced")
    failure_minutes: int = setting(30, "Wait after a failure", "How long the machine stays on after a failed run, if it is to be stopped.",
                                   unit="minutes", ge=LEAST_AFTER_FAILURE, le=1440, level="advanced")
    most_hours: float = setting(0.0, "Most hours", "When they are over, the run is stopped with a whole checkpoint, and what is said above "
                                "follows. 0: no limit.", unit="hours", ge=0, le=10000)
    most_money: float = setting(0.0, "Most money", "As for the hours. 0: no limit.", unit="in your provider's currency", ge=0, le=1e6)
    price_per_hour: float = setting(0.0, "Price of the machine", "0: the provider is asked.", unit="an hour", ge=0, le=1e4)
    limit_since: Literal["run", "machine"] = setting(
        "run", "Limits count from", "The start of the training (run), or of this machine (machine).", level="advanced")
    reminder: bool = setting(False, "Remind me quietly of a break", "One calm line here and in the Monitor, when the training begins and "
                             "when it has ended.", level="advanced")

    @field_validator("repo_id")
    @classmethod
    def _is_a_repository(cls, value: str) -> str:
        return written_name(value, "The repository on Hugging Face")

    @field_validator("folder")
    @classmethod
    def _is_a_folder(cls, value: str) -> str:
        return plain_folder(value)

    @model_validator(mode="after")
    def _is_safe(self) -> FinishSettings:
        if self.then == "destroy" and not (self.repo_id and self.upload_lora):
            raise ValueError("Destroying the machine loses what lies on it: name a repository, and upload the finished LoRA.")
        return self

    @property
    def uploads(self) -> bool:
        """Whether anything is to be uploaded."""
        chosen = (self.upload_lora, self.upload_epochs, self.upload_samples, self.upload_state, self.upload_report)
        return bool(self.repo_id) and any(chosen)

    @property
    def keeps_states(self) -> bool:
        """Whether states are uploaded while the run is at work."""
        return bool(self.repo_id) and self.state_meanwhile

    @property
    def needs_token(self) -> bool:
        """Whether anything goes to Hugging Face."""
        return self.uploads or self.keeps_states

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do when a run ends, and no limit before."""
        return not (self.needs_token or self.then != "nothing" or self.most_hours or self.most_money)
