"""Pictures of booru sites and others, fetched by gallery-dl in a process of its own, with their tags as captions."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal
from urllib.parse import quote, urlsplit

from core.base.errors import ConfigError, DatasetError, MissingDependency
from core.base.files import explain_disk_errors
from core.base.http import shown_address
from core.base.paths import place_of, typed_path
from core.base.progress import SILENT, Progress
from core.base.settings import Settings, setting
from core.dataset.captions.files import decode_caption, spaced
from core.dataset.items import Skipped
from core.dataset.sources import VIDEO_SUFFIXES, SourceContent, SourceFile, split_address
from core.dataset.sources.download import folder_of
from core.dataset.sources.folder import FolderSource
from core.dataset.sources.url import clear_stale

SITES = {
    "gelbooru": "https://gelbooru.com/index.php?page=post&s=list&tags={}",
    "danbooru": "https://danbooru.donmai.us/posts?tags={}",
    "safebooru": "https://safebooru.org/index.php?page=post&s=list&tags={}",
    "konachan": "https://konachan.com/post?tags={}",
    "yandere": "https://yande.re/post?tags={}",
    "pixiv": "https://www.pixiv.net/tags/{}/artworks",
}
"""Where each site lists the pictures of some tags."""
CREDENTIALS = {
    "gelbooru": {"api-key": "GELBOORU_API_KEY", "user-id": "GELBOORU_USER_ID"},
    "danbooru": {"username": "DANBOORU_USERNAME", "password": "DANBOORU_API_KEY"},
    "pixiv": {"refresh-token": "PIXIV_REFRESH_TOKEN"},
}
"""Options of gallery-dl, and the variables of the environment that give them."""
CONFIG_FILES = ("/etc/gallery-dl.conf", "${XDG_CONFIG_HOME}/gallery-dl/config.json", "${HOME}/.config/gallery-dl/config.json",
                "${HOME}/.gallery-dl.conf")
"""Where gallery-dl looks for its configuration."""
EXITS = {4: "the site answered with an error", 8: "nothing was found there", 16: "the site asks for a login",
         64: "it does not know this address", 128: "the disk could not be written"}
"""Bits of gallery-dl's exit status (gallery_dl/exception.py)."""
SEEN = "gallery-seen.sqlite3"


class GallerySettings(Settings):
    """Which pictures of a site."""

    title = "Picture site"

    site: Literal["address", "gelbooru", "danbooru", "safebooru", "konachan", "yandere", "pixiv"] = setting(
        "address", "Site", "Where the tags are looked for; an address may be of any site that gallery-dl knows.")
    range: str = setting("1-200", "Range", "Which of the pictures found, as 1-200 or 5,8,20-; empty for all.", pattern=r"^[\d,:\s-]*$")
    spaces: bool = setting(True, "Underscores to spaces", "In the tags that become captions; faces such as ^_^ stay.")
    skip_seen: bool = setting(True, "Only new ones", "Leave out what an earlier import of this project fetched, also if it was deleted.")
    config: str = setting("", "Configuration", "A file of gallery-dl beside the usual ones.", level="expert")


class GallerySource:
    """Pictures that gallery-dl fetches. They are kept until they were imported; what is there is not fetched again. What the import
    refused is kept too, for gallery-dl counts it as fetched: with other settings it may come in the next time."""

    def __init__(self, location: Path | str, scratch: Path, recursive: bool = True, options: Settings | None = None,
                 progress: Progress = SILENT) -> None:
        self.options = options if isinstance(options, GallerySettings) else GallerySettings()
        self.address = gallery_address(str(location), self.options.site)
        self.scratch, self.progress = scratch, progress
        self.place = shown_address(self.address)
        self.folder = folder_of(scratch, self.address)
        self._said: deque[str] = deque(maxlen=20)
        self._content = SourceContent()

    def __enter__(self) -> GallerySource:
        find_program()
        check_credentials(self.address, self.options.config)
        clear_stale(self.scratch, self.folder)
        with explain_disk_errors(self.folder):
            (self.folder / "files").mkdir(parents=True, exist_ok=True)
            (self.folder / "download.json").touch()  # so that it is taken away when nobody goes on with it
            os.utime(self.folder)
            for left in self.scratch.glob("*/gallery-dl.json"):  # keys, as an earlier version left them when it was killed
                left.unlink(missing_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            return
        if not self._content.refused:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        kept = {name for image in self._content.refused for name in (image, f"{image}.txt")}
        for file in (*self._content.images, *self._content.captions):
            if file.name not in kept:
                file.path.unlink(missing_ok=True)

    def parts(self) -> Generator[SourceContent, None, None]:
        """What was fetched, as one part. Raises: DatasetError: nothing came, with what gallery-dl says; Cancelled: what came is kept."""
        known, code = self._fetch()
        content = self._content = FolderSource(self.folder / "files", self.scratch).content()
        content.known, content.again = known, 'Untick "Only new ones" to fetch them again.'
        content.captions = [replace(file, data=self._caption(file)) for file in content.captions]
        if code:
            sentence = self._explain(code)
            if not content.images:
                raise DatasetError(sentence, _remedy(code, self.address))
            content.skipped.append(Skipped("gallery-dl", f"It ended early: {sentence}"))
        yield content

    def _fetch(self) -> tuple[int, int]:
        """Run gallery-dl. Returns: how many pictures it left out because it knows them, and its exit status."""
        self.progress.start("Fetching pictures", _count(self.options.range))
        known, begun = 0, {path for path in (self.folder / "files").rglob("*") if path.is_file()}
        reading, writing = os.pipe()  # keys that lie in no file can be left behind in none
        try:
            with open(writing, "wb") as file:
                file.write(json.dumps(_credentials(os.environ)).encode("utf-8"))
            with subprocess.Popen(self._command(f"/dev/fd/{reading}"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, pass_fds=(reading,),
                                  env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}) as process:
                try:
                    for line in self._lines(process):
                        skipped = line.startswith("# ")
                        name = Path(line.removeprefix("# ")).name
                        if skipped and Path(line[2:]) not in begun:
                            known += 1
                        self.progress.advance(name)
                finally:
                    _end(process)
                return known, process.returncode
        finally:
            os.close(reading)

    def _command(self, settings: str) -> list[str]:
        endings = tuple(suffix[1:] for suffix in VIDEO_SUFFIXES)
        words = [*find_program(), "--no-input", "--no-colors", "--config", settings, "--destination", str(self.folder / "files"),
                 "--write-tags", "--filter", f"extension not in {endings!r}"]
        if self.options.config:
            words += ["--config", str(typed_path(self.options.config))]
        if self.options.range.strip():
            words += ["--range", re.sub(r"\s", "", self.options.range)]
        if self.options.skip_seen:
            words += ["--download-archive", str(self.scratch / SEEN)]
        return [*words, "--", self.address]

    def _lines(self, process: subprocess.Popen[bytes]) -> Iterator[str]:
        """What it prints, one file a line, while a cancel is heard. What it complains of goes into the log."""
        heard: queue.Queue[tuple[str, str] | None] = queue.Queue()

        def listen(stream: IO[bytes], name: str) -> None:
            for line in stream:
                heard.put((name, line.decode("utf-8", "replace").rstrip()))
            heard.put(None)

        for stream, name in ((process.stdout, "out"), (process.stderr, "error")):
            assert stream is not None
            threading.Thread(target=listen, args=(stream, name), daemon=True).start()
        ended = 0
        while ended < 2:
            self.progress.check()
            with contextlib.suppress(queue.Empty):
                found = heard.get(timeout=0.2)
                if found is None:
                    ended += 1
                elif found[0] == "out" and found[1]:
                    yield found[1]
                elif found[1]:
                    said = without_secrets(found[1])
                    self._said.append(said)
                    self.progress.note(said)

    def _explain(self, code: int) -> str:
        problems = [line for line in self._said if "[error]" in line] or list(self._said)
        words = "; ".join(text for bit, text in EXITS.items() if code > 0 and code & bit) or f"it ended with {code}"
        last = f" It said: {problems[-1]}" if problems else ""
        return f"gallery-dl could not fetch {self.place}: {words}.{last}"

    def _caption(self, file: SourceFile) -> bytes:
        """The tags of a picture in one line."""
        try:
            lines = decode_caption(file.path.read_bytes(), file.name).splitlines()
        except (DatasetError, OSError):
            return b""
        return ", ".join(tag_words(line) if self.options.spaces else line for line in lines if line.strip()).encode("utf-8")


def gallery_address(text: str, site: str) -> str:
    """The address that gallery-dl is given. Args: text: an address, or the tags that are looked for, with spaces between.

    Raises: ConfigError: it is neither; DatasetError: no host or port can be read in it.
    """
    words = text.strip()
    if re.match(r"(?i)https?://[^\s/]", words):
        split_address(words)
        return words
    if site == "address":
        raise ConfigError(f"{words!r} is no address.", "Give one that begins with https://, or choose a site and give tags.")
    if not words:
        raise ConfigError("No tags are given.", "For example: 1girl solo rating:general")
    if site == "pixiv" and words.isdecimal():
        return f"https://www.pixiv.net/users/{words}/artworks"
    return SITES[site].format(quote(words) if site == "pixiv" else "+".join(quote(word, safe=":") for word in words.split()))


def find_program() -> list[str]:
    """How gallery-dl is started. Raises: MissingDependency: it is not installed."""
    if importlib.util.find_spec("gallery_dl") is not None:
        return [sys.executable, "-m", "gallery_dl"]
    if found := shutil.which("gallery-dl"):
        return [found]
    raise MissingDependency("Pictures of a site are fetched by gallery-dl, which is not installed.",
                            "Run: python3 installer.py --with sources")


def check_credentials(address: str, config: str = "") -> None:
    """Look for what a site insists on, before anything is started. Args: config: a configuration beside the usual ones.

    Raises: ConfigError: it is missing, or the configuration cannot be read.
    """
    host = (urlsplit(address).hostname or "").removeprefix("www.")
    if host != "gelbooru.com":
        return
    known = {name for name, variable in CREDENTIALS["gelbooru"].items() if os.environ.get(variable)}
    for path in [*CONFIG_FILES, *([config] if config else [])]:
        known |= _configured(place_of(os.path.expandvars(path)), "gelbooru")
    missing = [name for name in CREDENTIALS["gelbooru"] if name not in known]
    if missing:
        raise ConfigError(f"Gelbooru gives pictures only to those who have an account: {' and '.join(missing)} "
                          f"{'is' if len(missing) == 1 else 'are'} not set.",
                          "Copy both from gelbooru.com under My Account, Options, API Access Credentials, and set GELBOORU_API_KEY and "
                          "GELBOORU_USER_ID in the environment, or api-key and user-id in ~/.config/gallery-dl/config.json.")


def tag_words(tag: str) -> str:
    """A booru tag with spaces for underscores; a face such as ^_^ or o_o stays."""
    return spaced(tag.strip())


def without_secrets(text: str) -> str:
    """A line of gallery-dl without keys in addresses, and without what the environment says of them."""
    text = re.sub(r"https?://[^\s'\"<>]+", lambda found: _shown(found[0]), text)
    for options in CREDENTIALS.values():
        for variable in options.values():
            value = os.environ.get(variable, "")
            text = text.replace(value, "…") if len(value) > 3 else text
    return text


def _shown(address: str) -> str:
    try:
        return shown_address(address)
    except ValueError:  # what looks like an address and is none
        return f"{address.partition('//')[0]}//…"


def _configured(path: Path, site: str) -> set[str]:
    """Names of the site's options that a configuration of gallery-dl sets. Raises: ConfigError: it is no JSON."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        return set()
    except ValueError as error:
        raise ConfigError(f"{path}, gallery-dl's configuration, is not valid JSON ({error}).", "Mend it in a text editor.") from error
    found = value.get("extractor", {}).get(site, {}) if isinstance(value, dict) else {}
    return {name for name, given in found.items() if given} if isinstance(found, dict) else set()


def _credentials(environ: Mapping[str, str]) -> dict[str, Any]:
    """A configuration with what the environment gives: it goes through a pipe, for arguments can be seen by all."""
    sites = {site: {name: environ[variable] for name, variable in options.items() if environ.get(variable)}
             for site, options in CREDENTIALS.items()}
    return {"extractor": {site: options for site, options in sites.items() if options}}


def _remedy(code: int, address: str) -> str:
    if code > 0 and code & 16:
        return "Set its login in the environment or in ~/.config/gallery-dl/config.json; for Pixiv run: gallery-dl oauth:pixiv"
    if code > 0 and code & 64:
        return f"Open {urlsplit(address).hostname} in a browser and copy the address of the list of pictures."
    return "Try the address in a browser, or run it again later; it goes on where it stopped."


def _count(text: str) -> int:
    """How many pictures a range such as "1-200" has at most; 0 where it has no end."""
    total = 0
    for part in filter(None, re.split(r"[,\s]+", text)):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if found is None:
            return 0
        total += int(found[2]) - int(found[1]) + 1 if found[2] else 1
    return max(0, total)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Stop it, if it still runs; half a picture stays as .part and is gone on with."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()
