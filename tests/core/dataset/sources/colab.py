"""A stand-in for Colab's package `google.colab`: a real package on the disk, whose `drive.mount` makes a folder."""

import importlib
import sys
from pathlib import Path

DRIVE = '''
import os
from google.colab import errors

CALLS = []


def mount(mountpoint, force_remount=False, timeout_ms=120000, readonly=False):
    CALLS.append(mountpoint)
    if os.environ.get("REFUSED"):
        raise errors.Error("credential propagation was unsuccessful")
    if os.environ.get("FAILED"):
        raise ValueError("mount failed")
    if not os.environ.get("EMPTY"):
        os.makedirs(os.path.join(mountpoint, "MyDrive"), exist_ok=True)
'''


def make_package(folder: Path) -> Path:
    """Write the package. Returns: the folder that is to stand on the path of modules."""
    package = folder / "packages" / "google" / "colab"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "errors.py").write_text("class Error(Exception):\n    pass\n")
    (package / "drive.py").write_text(DRIVE)
    return package.parents[1]


def make_colab(folder: Path, monkeypatch) -> Path:
    """Write the package and load it, as a Colab kernel has it loaded; places.DRIVE leads into `folder`. Returns: My Drive."""
    packages = make_package(folder)
    for name in [name for name in sys.modules if name == "google" or name.startswith("google.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(packages))
    importlib.invalidate_caches()
    loaded = ("google", "google.colab", "google.colab.errors", "google.colab.drive")
    for name in loaded:
        monkeypatch.setitem(sys.modules, name, None)  # so that the test's end forgets them
    for name in loaded:
        del sys.modules[name]
    for name in loaded:
        importlib.import_module(name)
    from core.dataset.sources import places

    monkeypatch.setattr(places, "DRIVE", folder / "content" / "drive" / "MyDrive")
    return places.DRIVE
