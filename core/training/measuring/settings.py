"""What a short run may cost."""

from __future__ import annotations

from typing import ClassVar

from core.base.settings import Settings, setting


class MeasureSettings(Settings):
    """What is measured with, and what it may cost. What is trained is what Trainer keeps for the project."""

    title: ClassVar[str] = "Measure a short run"

    backend: str = setting("builtin", "Trainer", "builtin, sd-scripts or musubi.")
    most_money: float = setting(0.0, "Spend cap", "The short run ends when it has cost so much, and it is told when the planned training "
                                "would cost more. 0: what 'Most money' in the panel After the run says, else no cap.",
                                unit="in your provider's currency", ge=0, le=1e6)
    most_minutes: float = setting(10.0, "Time cap", "The short run ends after so long, whatever it has measured by then.", unit="minutes",
                                  ge=0.1, le=240)
