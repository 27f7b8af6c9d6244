"""Whose machine this is, and what a stop of it keeps."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.setup.provider import COLAB, CONTAINER, LOCAL, RUNPOD, VAST, find_provider, keep_remedy, survives_stop


@pytest.mark.parametrize(("environ", "provider"), [
    ({"RUNPOD_POD_ID": "abc"}, RUNPOD), ({"VAST_CONTAINERLABEL": "C.1"}, VAST), ({"COLAB_RELEASE_TAG": "release"}, COLAB)])
def test_a_provider_is_known_by_its_marks(environ: dict[str, str], provider: object) -> None:
    assert find_provider(environ) is provider


def test_what_is_outside_drive_is_lost_on_colab() -> None:
    kept, sentence = survives_stop(COLAB, Path("/content/lorabook/projects"))
    assert kept is False and "lost" in sentence and "Drive" in keep_remedy(COLAB)
    assert survives_stop(COLAB, Path("/content/drive/MyDrive/projects"))[0] is True


def test_a_pods_container_disk_is_not_kept_and_the_remedy_names_the_volume() -> None:
    kept, _ = survives_stop(RUNPOD, Path("/not/mounted"))
    assert kept is False and "/workspace" in keep_remedy(RUNPOD)


def test_an_own_computer_keeps_everything(tmp_path: Path) -> None:
    assert survives_stop(LOCAL, tmp_path)[0] is True


def test_the_tunnel_leads_to_the_port_on_which_jupyterlab_listens() -> None:
    for provider in (VAST, RUNPOD, CONTAINER):
        words = provider.reach(8889)
        assert "ssh -p PORT -L 8889:127.0.0.1:8889 USER@HOST" in words and "127.0.0.1:8889 that" in words and "8888" not in words
    assert LOCAL.reach(8889) == COLAB.reach(8889) == ""
