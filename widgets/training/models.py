"""Get a model: one of those that are known by name, or any address, fetched by a job that outlives the browser."""

from __future__ import annotations

import html
from pathlib import Path

import ipywidgets as ipw

from core.base.errors import ConfigError, StudioError
from core.base.jobs import Job, JobStatus
from core.models.addresses import read_address, without_token
from core.models.catalog import CATALOG, NamedModel, with_parts
from core.models.manager import STAGE, ModelsManager
from core.models.settings import DownloadSettings
from core.models.sites import Site, token_of
from widgets.form import Form
from widgets.jobs_view import working_words
from widgets.panel import Panel

BY_ADDRESS = ("another one, by its address", "")
KINDS = {"base": "", "vae": "Part: ", "text encoder": "Part: "}
GIB = 2**30


class ModelsPanel(Panel):
    """Starts the download and says what came. A token is kept in this object's memory alone: no setting, no file, no log knows it."""

    name = "models"
    title = "Get a model"
    purpose = ("Fetch a base model to this machine: by name, or by its address on Hugging Face, Civitai or anywhere else. Not needed if "
               "yours is here already.")
    button = "Get the model"
    stage = STAGE
    needs_project = False

    def controls(self) -> list[ipw.Widget]:
        """Which one, and the token."""
        self.manager = ModelsManager()
        self._tokens: dict[str, str] = {}
        """Variable of the environment → token, as typed since the kernel began."""
        self.form = Form(DownloadSettings, choices={"model": [BY_ADDRESS, *((label(model), model.name) for model in CATALOG.values())]})
        named = self.form.control("model")
        named.help = "What LoRAs are usually made for. Any other model comes by its address."
        named.complain("")
        self.form.control("address").widget.placeholder = "https://civitai.com/models/… or owner/name"
        self.form.control("address").view.add_class("lb-wide")
        self._about = ipw.HTML()
        self.token = ipw.Password(description="Token", continuous_update=False)
        self.token.observe(self.heard(self._take_token), "value")
        self._token_help = ipw.HTML()
        self._token_box = ipw.VBox([self.token, self._token_help]).add_class("lb-field").add_class("lb-field-token")
        self.form.insert(self._about, ipw.VBox([self._token_box]).add_class("lb-fields"))
        self.form.on_change(self.heard(self._show))
        self._show()
        return [self.form.view]

    def results(self) -> list[ipw.Widget]:
        """What came."""
        self._found = ipw.HTML()
        return [self._found]

    def place(self) -> Path:
        """Models are everybody's: their jobs lie beside them."""
        return self.manager.folder

    def working_words(self, status: JobStatus) -> str:
        """How fast it comes, too."""
        words = working_words(status)
        return f"{words}, {status.item}" if status.item.endswith("/s") else words

    def run(self) -> Job:
        """Start the job. Raises: ConfigError: no model is chosen, or the address is none."""
        settings = self.form.value()
        settings = settings.changed(address="") if settings.model else settings
        if not settings.model and not settings.address:
            raise ConfigError("No model is chosen.", "Choose one in the list, or write an address.")
        if not settings.model:
            read_address(settings.address, settings.file)
        self._take_token()
        self._hide_secret(settings)
        site = self._site()
        own = {name: token for name, token in self._tokens.items() if site is not None and name == site.variable}
        return self.manager.start_download(settings, own)

    def begun(self) -> None:
        """What came before is no answer any more."""
        self._found.value = ""

    def show_report(self, status: JobStatus) -> None:
        """What each file is, and where to go on."""
        lines = [f"<li class='lb-info'><b>{html.escape(str(file['name']))}</b>: {html.escape(str(file['about']))}.</li>"
                 for file in status.report.get("files", [])]
        base = any(file.get("family") for file in status.report.get("files", []))
        next_step = '<p class="lb-help">Choose it in the panel Model and settings.</p>' if base else ""
        self._found.value = f'<ul class="lb-findings">{"".join(lines)}</ul>{next_step}' if lines else ""

    def _chosen(self) -> NamedModel | None:
        return CATALOG.get(self.form.control("model").read() or "")

    def _site(self) -> Site | None:
        """Whose token is asked for; None: nobody's, or nobody knows yet."""
        model, address = self._chosen(), self.form.control("address").read() or ""
        try:
            return read_address(model.address if model else address).site
        except StudioError:
            return None

    def _show(self) -> None:
        """Only what concerns the choice, and what there is to know of it."""
        model = self._chosen()
        self.form.control("address").view.layout.display = "none" if model else ""
        self.form.control("with_parts").view.layout.display = "" if model and model.needs else "none"
        self._about.value = about(model, bool(self.form.control("with_parts").read()), self.manager.free_gib()) if model else ""
        self._take_token()
        self._show_token()

    def _show_token(self) -> None:
        site = self._site()
        self._token_box.layout.display = "" if site is not None or not self.form.control("address").read() else "none"
        if site is None:
            words = "Only for models that ask you to log in, on Hugging Face or Civitai."
        elif site.variable in self._tokens:
            words = f"A token for {site.title} was taken; it is kept until the kernel ends, and written nowhere."
        elif token_of(site):
            words = f"A token for {site.title} is set on this machine. Another one typed here goes before it."
        else:
            words = f"Only for models that ask you to log in. {site.title} makes one at {site.settings}."
        self._token_help.value = f'<p class="lb-help">{html.escape(words)}</p>'

    def _take_token(self) -> None:
        """Out of the field, which the notebook could save, into memory; as soon as it is known whose it is."""
        typed, site = self.token.value.strip(), self._site()
        if typed and site is not None:
            self._tokens[site.variable] = typed
            self.token.value = ""
            self._show_token()

    def _hide_secret(self, settings: DownloadSettings) -> None:
        """A token that was pasted with the address leaves the field as well."""
        address, token, site = without_token(settings.address)
        if token and site is not None:
            self._tokens[site.variable] = token
            self.form.control("address").write(address)


def label(model: NamedModel) -> str:
    """"SDXL 1.0 (6.9 GB)": a line of the list."""
    return f"{KINDS[model.kind]}{model.title} ({model.told_size})"


def about(model: NamedModel, parts: bool, free: float) -> str:
    """Licence, consent, parts and room, in HTML. Args: parts: whether those come too. free: GiB on the disk."""
    wanted = read_address(model.address)
    page = f'<a href="{html.escape(wanted.page)}" target="_blank" rel="noopener">its page</a>'
    models = with_parts(model.name)[: None if parts else 1]
    size = sum(one.size for one in models)
    room = f"{size / 10**9:.1f} GB in all; {free * GIB / 10**9:.0f} GB are free."
    also = f" With it come {', '.join(html.escape(one.title) for one in models[1:])}." if len(models) > 1 else ""
    asked = "".join(f'<li class="lb-warning">Its makers ask you to accept their licence first, on {page_link}; then a token is needed.</li>'
                    for page_link in dict.fromkeys(link(one) for one in models if one.gated))
    return f'<ul class="lb-findings"><li class="lb-info">Licence: {html.escape(model.licence)}, see {page}.{also} {room}</li>{asked}</ul>'


def link(model: NamedModel) -> str:
    """Its page, in HTML."""
    page = read_address(model.address).page
    return f'<a href="{html.escape(page)}" target="_blank" rel="noopener">{html.escape(page.split("://")[-1])}</a>'


