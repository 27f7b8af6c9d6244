"""A LoRA made known: looked through first, then brought to Hugging Face, or put into a folder or a zip for Civitai."""

from __future__ import annotations

from dataclasses import replace

from core.base.progress import SILENT, Progress
from core.utilities.publishing.audience import seen_by_everybody
from core.utilities.publishing.checking import findings_of, refuse_errors
from core.utilities.publishing.civitai_folder import write_for_civitai
from core.utilities.publishing.hub import publish_on_hub
from core.utilities.publishing.release import gather
from core.utilities.publishing.report import PublishReport
from core.utilities.publishing.settings import PublishSettings


def publish_lora(settings: PublishSettings, progress: Progress = SILENT) -> PublishReport:
    """Publish LoRA files with their page; the given files stay as they are. Nothing is sent where something must be mended first.

    Raises: ModelError: no LoRA file. ConfigError: something must be mended first, or the name is taken. HubError: in words; what was
        sent is there, and the next try goes on. DiskError. Cancelled.
    """
    release = gather(settings, progress)
    findings = findings_of(release, seen_by_everybody(release))
    refuse_errors(findings)
    report = publish_on_hub(release, progress) if settings.to == "hub" else write_for_civitai(release, progress)
    return replace(report, findings=tuple(finding for finding in findings if finding.level == "warning"))
