"""Panels of one LoRA file that say what it is, or what is wrong with it, as soon as it is chosen."""

from __future__ import annotations

from widgets.utilities.lora_panel import LoraPanel
from widgets.utilities.reading import READING, Answer, LoraFacts, Reads, lora_facts


class HeaderPanel(LoraPanel):
    """Reads the header of the chosen file beside the kernel. A subclass calls `read_headers` before it makes its form."""

    def read_headers(self) -> None:
        """From now on, each file once until it changes."""
        self.headers = Reads(self.loop, lora_facts, self.header_read)

    def header(self) -> Answer[LoraFacts] | None:
        """What the chosen file is; None: none is chosen, or it is still being read."""
        return self.headers.of(self.file) if self.file else None

    def header_read(self) -> None:
        """Say it below the field."""
        answer = self.header()
        words = answer.problem or (answer.value.words if answer.value is not None else "") if answer is not None else ""
        self.form.control("file").remark(words, bool(answer is not None and answer.problem))
        self.look_again()

    def update(self) -> None:
        """The file may be another now, or was changed."""
        super().update()
        self.header_read()

    def inputs_changed(self) -> None:
        """Another file may be chosen."""
        super().inputs_changed()
        self.header_read()

    def blocked(self) -> str:
        """What is wrong with the file."""
        answer = self.header()
        return answer.problem if answer is not None else ""

    def advice(self) -> str:
        """A file must be chosen and read."""
        return super().advice() or (READING.format("the file is") if self.header() is None else "")
