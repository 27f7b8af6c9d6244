"""Bring pictures from the maker's own computer: what is dropped comes in pieces, and is imported when it is whole."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import ipywidgets as ipw

from core.base.errors import DatasetError, DiskError, StudioError
from core.base.failures import words_for
from core.base.files import read_json
from core.base.jobs import Job, JobStatus, start_job
from core.base.words import counted
from core.dataset.project import Project
from core.dataset.sources import JUNK, TABLES, UPLOAD_SUFFIX, VIDEO_SUFFIXES
from core.dataset.sources.receiving import Outcome, OutOfStep, Receiver
from core.dataset.sources.upload import TAKEN, UploadSettings, current_upload, importable, list_uploads, own_folder
from core.dataset.sources.upload_parts import PARTS, Occupied, Offer, digest_spans, forget_part, unfinished
from widgets.components.upload import Upload
from widgets.dataset.importing import import_list
from widgets.form import Form
from widgets.jobs_view import newest_job
from widgets.panel import Panel

LARGEST = 4 * 2**20
"""Bytes of the largest piece: Jupyter's server ends a connection over which 10 MiB come at once."""
LARGEST_ON_COLAB = 768 * 2**10
SILENT = 20.0
"""Seconds without a word from the browser after which the panel says so."""
KINDS = {"endings": TAKEN, "tables": TABLES, "junk": JUNK, "videos": VIDEO_SUFFIXES}


class Desk:
    """Answers the browser's questions, one after another, in a thread of its own: the kernel's loop waits for no disk and no hash."""

    def __init__(self, settings: Callable[[], UploadSettings]) -> None:
        self._settings = settings
        self._receivers: dict[tuple[str, str], Receiver] = {}
        self._line, self._closed = ThreadPoolExecutor(1, "upload"), False

    def ask(self, kind: str, asked: Mapping[str, Any], buffers: Sequence[memoryview], then: Callable[[Future[Any]], None]) -> None:
        """Answer in the order of the questions. Args: then: called with the answer, or the error, in the desk's thread."""
        if not self._closed:
            self._line.submit(self._answer, kind, asked, buffers).add_done_callback(then)

    def close(self) -> None:
        """Let go of every file."""
        if not self._closed:
            self._closed = True
            self._line.submit(self._release)
            self._line.shutdown(wait=True)

    def _release(self) -> None:
        for receiver in self._receivers.values():
            receiver.close()
        self._receivers.clear()

    def _answer(self, kind: str, asked: Mapping[str, Any], buffers: Sequence[memoryview]) -> tuple[dict[str, Any], list[bytes]]:
        """The fields and buffers of an answer. Raises: StudioError: no, and why."""
        if kind in ("hello", "pause", "go"):
            return {}, []
        receiver = self._receiver(str(asked.get("home")), str(asked.get("upload")))
        if kind == "begin":
            return {"upload": receiver.upload}, []
        if kind == "end":
            receiver.end()
            return {"arrived": receiver.arrived, "record": str(receiver.record.path)}, []
        if kind == "small":
            return {"files": [asdict(outcome) for outcome in receiver.take_small(_bundle(asked, buffers))]}, []
        path = str(asked["path"])
        if kind == "piece":
            return {"have": receiver.write(path, asked["offset"], buffers[0], bytes(buffers[1]))}, []
        if kind == "finish":
            return asdict(receiver.finish(path, str(asked["root"]))), []
        offer = Offer(path, asked["size"])
        if kind == "open":
            standing = receiver.open(offer, list(self._receivers.values()))
            return {"have": standing.have}, [standing.digests]
        found = receiver.go_on(offer, asked["blocks"])
        return (asdict(found), []) if isinstance(found, Outcome) else ({"have": found}, [])

    def _receiver(self, home: str, upload: str) -> Receiver:
        if not upload or (home, upload) not in self._receivers:
            project, settings = Project.open(Path(home)), self._settings()
            upload = upload or current_upload(project, settings)
            if (home, upload) not in self._receivers:
                self._receivers[home, upload] = Receiver(project, upload, settings)
        return self._receivers[home, upload]


def _bundle(asked: Mapping[str, Any], buffers: Sequence[memoryview]) -> list[tuple[Offer, memoryview, bytes]]:
    """The files of one message, cut apart without a copy."""
    data, digests = buffers
    found, at, mark = [], 0, 0
    for file in asked["files"]:
        offer = Offer(str(file["path"]), int(file["size"]))
        end, last = at + offer.size, mark + digest_spans(offer.size)
        found.append((offer, data[at:end], bytes(digests[mark:last])))
        at, mark = end, last
    return found


class UploadPanel(Panel):
    """The drop zone; afterwards the import runs on what came."""

    name = "upload"
    title = "Upload"
    purpose = "Bring pictures, with their captions, from the computer you sit at to this machine. What is cut off goes on where it stopped."
    button = "Import what was uploaded"

    def controls(self) -> list[ipw.Widget]:
        """The drop zone, and where the files go."""
        self._under_way: dict[str, Any] | None = None
        self._heard_at, self._paused, self._trouble = 0.0, False, ""
        self.form = Form(UploadSettings, choices={"where": [("own: my folder, where there is one", "own"),
                                                            ("project: into its uploads", "project")]})
        self.desk = Desk(self.form.value)
        self.zone = Upload(self._asked, self._forget, KINDS, LARGEST_ON_COLAB if "google.colab" in sys.modules else LARGEST)
        self.form.on_change(self.refresh)
        self.loop.repeat(self._watch, 2.0)
        return [self.zone, self.form.view]

    def results(self) -> list[ipw.Widget]:
        """What the import left out."""
        self._skipped = ipw.HTML()
        return [self._skipped]

    def blocked(self) -> str:
        """There must be an upload."""
        if reason := super().blocked():
            return reason
        waiting = self._under_way is None and list_uploads(self.session.dataset.project)
        return "" if waiting else "Nothing was uploaded yet. Drop something above."

    def opened(self) -> None:
        """What another project's import left out is of no use."""
        self._skipped.value = ""

    def update(self) -> None:
        """Show where files go now, and what can be gone on with."""
        if self.session.folder is None:
            with self.zone.hold_sync():
                self.zone.home, self.zone.target, self.zone.unfinished = "", "", []
                self.zone.blocked = "No project is open yet. Open one in the Project panel."
            return
        project, settings = self.session.dataset.project, self.form.value()
        own = own_folder(project) if settings.where == "own" else None
        with self.zone.hold_sync():
            self.zone.home, self.zone.blocked = str(project.folder), ""
            self.zone.target = (f"They go into {own}, your own folder that this project's pictures came from. No file that is there is "
                                "changed, and what is there already is not stored twice. To keep them apart, choose project at 'Where to'."
                                if own else f"They go into {project.folder / 'uploads'}.")
            self.zone.unfinished = [{"path": part.path, "size": part.size, "have": part.have, "place": str(part.place)}
                                    for part in unfinished(project, settings)] if self._under_way is None else []

    def run(self) -> Job:
        """Import the oldest upload that was not imported yet, else the last one with pictures. Raises: DatasetError: there is none."""
        record = importable(self.session.dataset.project)
        if record is None:
            raise DatasetError("There are no pictures in what was uploaded.", "Drop some above.")
        return self._import(str(record.path))

    def begun(self) -> None:
        """What another import left out is no answer to this one."""
        self._skipped.value = ""

    def show_report(self, status: JobStatus) -> None:
        """Tell what was changed or there already, and what was skipped."""
        self._skipped.value = import_list(status)
        self._enable()

    def close(self) -> None:
        """Let go of half-done files, so that another panel can go on with them."""
        super().close()
        self.desk.close()

    def _import(self, record: str) -> Job:
        return start_job(self.session.dataset.project.folder, "import", {"source": record})

    def _take_up_job(self) -> None:
        """An import of an upload is followed here too."""
        job = newest_job(self.session.folder, "import") if self.session.folder is not None else None
        if job is not None and str(read_json(job.folder / "settings.json")["settings"].get("source", "")).endswith(UPLOAD_SUFFIX):
            self.follow(job)

    # The browser

    def _asked(self, kind: str, asked: Mapping[str, Any], buffers: Sequence[memoryview]) -> None:
        def then(future: Future[Any]) -> None:
            self.loop.soon(lambda: self._answer(kind, asked, future))

        self._heard_at = time.monotonic()
        self.desk.ask(kind, asked, buffers, then)

    def _answer(self, kind: str, asked: Mapping[str, Any], future: Future[Any]) -> None:
        error = future.exception()
        if error is None:
            given, sent = future.result()
            self.zone.answer(asked, given, sent)
            self.guard(lambda: self._note(kind, asked, given))
            return
        scope = next((name for type_, name in SCOPES if isinstance(error, type_)), "all")
        words = words_for(error, "The log of this panel tells where; please report it.")
        self.zone.refuse(asked, words, scope)
        if scope == "all" and isinstance(error, StudioError):
            self._trouble = words
            self._settle()
        if not isinstance(error, StudioError):
            self.fail(error)

    def _note(self, kind: str, asked: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        """Keep the status line true."""
        if kind in ("pause", "go"):
            self._paused, self._trouble = kind == "pause", ""
        elif kind == "end":
            self._under_way, self._paused, self._trouble = None, False, ""
            self._ended(str(asked.get("home")), bool(asked.get("stopped")), int(given["arrived"]), str(given["record"]))
            return
        elif kind == "begin":
            self._under_way = {"home": asked.get("home"), "files": asked.get("files", 0), "done": 0}
        elif kind != "hello" and self._under_way is None:
            self._under_way = {"home": asked.get("home"), "files": 0, "done": 0}
        if self._under_way is not None:
            outcomes = given.get("files") or [given]
            self._under_way["done"] += sum(outcome.get("state") in ("here", "already", "refused") for outcome in outcomes)
            self._settle()

    def _ended(self, home: str, stopped: bool, arrived: int, record: str) -> None:
        files = f"{arrived} {'file is' if arrived == 1 else 'files are'} here"
        if home == str(self.session.folder) and arrived and not stopped and self.form.value().import_after:
            self.guard(lambda: self._import(record))
        elif arrived:
            self.done(f"{files}. Import them with the button.")
        elif stopped:
            self.done("nothing came.")
        else:
            self.say("attention", "Needs attention: Nothing was taken. The list above tells why, file by file.")
        self.session.tell()

    def _forget(self, home: str, place: str) -> None:
        def act() -> None:
            if Path(place).parent.name == PARTS and Path(place).suffix == ".part":
                forget_part(Path(place))
            self.refresh()

        self.loop.soon(lambda: self.guard(act))

    def _settle(self) -> None:
        if self._under_way is None:
            super()._settle()
            if self.session.folder is not None and self.status.state == "blocked" and self._told is None:
                self.status.say("ready", "Ready")  # nothing need be uploaded
            return
        done, files = self._under_way["done"], self._under_way["files"]
        count = f" {done} of {counted(files, 'file')}" if files else ""
        if self._trouble:
            self.status.say("attention", f"Needs attention: {self._trouble}")
        elif self._paused:
            self.status.say("working", f"Working{count}: paused")
        elif time.monotonic() - self._heard_at > SILENT:
            self.status.say("attention", "Needs attention: nothing comes from the browser any more. If its page was closed or reloaded, "
                            "drop the same files again; it goes on where it stopped.")
        else:
            self.status.say("working", f"Working{count}: uploading")

    def _watch(self) -> bool:
        if self._under_way is not None:
            self._settle()
        return True


SCOPES = ((OutOfStep, "again"), (Occupied, "busy"), (DiskError, "all"), (StudioError, "file"))
"""Kinds of errors, the narrower first, and what the browser does then."""
