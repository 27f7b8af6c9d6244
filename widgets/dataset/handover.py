"""Give the project to the Trainer notebook."""

from __future__ import annotations

from widgets.panel import Panel


class HandoverPanel(Panel):
    """Names the project for Trainer, so that no path need be typed again."""

    name = "handover"
    title = "Hand over"
    purpose = "Give this project to the Trainer notebook. No path need be typed again."
    button = "Hand over to Trainer"
    needs_pictures = True

    def run(self) -> str:
        """Hand it over."""
        manager = self.session.dataset
        manager.hand_to_trainer()
        return f"Trainer works on {manager.project.name} now. Open Trainer.ipynb and run its cells from top to bottom."
