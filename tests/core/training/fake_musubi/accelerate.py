"""As much of accelerate as the fake musubi-tuner uses."""

import json
from pathlib import Path


class Accelerator:
    """Prints, keeps what is logged, saves a state."""

    def __init__(self, logs):
        self.logs, self.trained, self.last_epoch = Path(logs), 0, 0

    def print(self, *words):
        print(*words, flush=True)

    def log(self, values, step=None):
        with open(self.logs, "a", encoding="utf-8") as file:
            file.write(json.dumps({**values, "step": step}) + "\n")

    def save_state(self, folder):
        from musubi_tuner.files import write_safetensors

        print(f"INFO:accelerate.accelerator:Saving current state to {folder}", flush=True)
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_safetensors(Path(folder) / "model.safetensors")
        (Path(folder) / "scheduler.bin").write_text(json.dumps(self.last_epoch))
        (Path(folder) / "random_states_0.pkl").write_bytes(b"x")

    def load_state(self, folder):
        self.last_epoch = json.loads((Path(folder) / "scheduler.bin").read_text())
