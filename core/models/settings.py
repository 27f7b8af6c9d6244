"""What a person asks for when a model is to be fetched, and what of it may be written down."""

from __future__ import annotations

from core.base.http import shown_address
from core.base.settings import Settings, setting
from core.models.addresses import without_token

SECRET_ADDRESS = "LORABOOK_DOWNLOAD_ADDRESS"
"""Variable of a job's environment with an address of which a part is secret; its settings hold it without that part."""


class DownloadSettings(Settings):
    """Which model, and where it goes. Tokens are no settings: they come from the environment or the panel's hidden field."""

    title = "Get a model"

    model: str = setting("", "Named model", "One of the models that are known by name. Leave it empty to give an address.")
    address: str = setting("", "Address", "The page or the download of a model on Hugging Face or Civitai, owner/name on Hugging Face, "
                                          "or any https address of a file.")
    with_parts: bool = setting(True, "With what it needs", "Fetch the text encoders and the VAE too that a named model needs.")
    file: str = setting("", "File in the repository", "Where a repository of Hugging Face has several files with weights.",
                        level="advanced")
    save_as: str = setting("", "Save as", "File name on this machine; empty: as it is published.", level="advanced", max_length=120)
    folder: str = setting("", "Folder in models", "A folder of models/ that it goes into; empty: models/ itself.", level="advanced",
                          pattern=r"^(\w[\w -]*(/\w[\w -]*)*)?$")
    connections: int = setting(8, "Connections", "Over how many connections a file is fetched at once. Some servers allow only few; it "
                                                 "makes do with those.", ge=1, le=16, level="advanced")
    sha256: str = setting("", "SHA-256", "What the file must have, where you know it and its site does not publish it.", level="expert",
                          pattern=r"^([0-9a-fA-F]{64})?$")

    def to_keep(self) -> DownloadSettings:
        """An address without what is secret in it."""
        return self.changed(address=shown_wish(self.address))

    def apart(self) -> tuple[DownloadSettings, dict[str, str]]:
        """What may be written down, and as variables of the environment what may not: a token in the address, a signed address."""
        address, token, site = without_token(self.address)
        shown = shown_wish(address)
        secrets = {site.variable: token} if token and site is not None else {}
        return self.changed(address=shown), {**secrets, **({SECRET_ADDRESS: address} if shown != address else {})}


def shown_wish(address: str) -> str:
    """What a person wrote, without what is secret in it."""
    try:
        return shown_address(address) if "://" in address else address
    except ValueError:  # nobody can read it; reading it says so
        return f"{address.partition('://')[0]}://***"
