"""How a run stands, read from what its trainer writes: output lines, events, TensorBoard files, heartbeat."""

from core.training.monitor.status import Monitor, RunStatus, read_status

__all__ = ["Monitor", "RunStatus", "read_status"]
