"""Training settings from files: Lorabook's own, sd-scripts' TOML, the JSON of kohya_ss, and what a LoRA file says of itself."""

from core.training.config.reading import Imported
from core.training.importing.files import read_settings_file
from core.training.importing.taking_over import take_over

__all__ = ["Imported", "read_settings_file", "take_over"]
