"""Licences of base models: what Hugging Face calls them, and what they ask of a LoRA that is made of such a model.

Names in cards: https://huggingface.co/docs/hub/repositories-licenses; a licence that is not in that list is `other` with a name and a
link (https://huggingface.co/docs/hub/model-cards#specifying-a-license). What is passed on: the licences' own texts, as they are linked.
This is a reminder of what stands there, no advice of a lawyer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PassedOn = Literal["nothing", "restrictions", "all"]
"""What of a licence must stand in that of a LoRA: nothing; its restrictions of use, in whatever licence; or it must be the same one."""


@dataclass(frozen=True)
class Licence:
    """One licence."""

    name: str
    """Saved in settings and never changed."""
    title: str
    link: str
    hub: str = "other"
    """Hugging Face's identifier."""
    hub_name: str = ""
    """What stands under license_name, where the identifier is `other`."""
    passes_on: PassedOn = "nothing"
    commercial: bool = True
    """Whether the model may be used for money."""
    asks: str = ""
    """What it asks of a LoRA, in a sentence."""


_RAIL = "Its restrictions of use (attachment A) must stand in the LoRA's licence too."
_SAME = "A LoRA made of it stands under the same licence."
_NOT_FOR_MONEY = "A LoRA made of it stands under the same licence: it may be shared, but not used for money."
_BFL = "https://huggingface.co/black-forest-labs"
_ALL = (
    Licence("creativeml-openrail-m", "CreativeML Open RAIL-M", "https://huggingface.co/spaces/CompVis/stable-diffusion-license",
            "creativeml-openrail-m", passes_on="restrictions", asks=_RAIL),
    Licence("openrail++", "CreativeML Open RAIL++-M",
            "https://huggingface.co/stabilityai/stable-diffusion-xl-base-1.0/blob/main/LICENSE.md", "openrail++",
            passes_on="restrictions", asks=_RAIL),
    Licence("fair-ai-1.0-sd", "Fair AI Public License 1.0-SD", "https://freedevproject.org/faipl-1.0-sd/",
            hub_name="fair-ai-public-license-1.0-sd", passes_on="all", asks=_SAME),
    Licence("flux-1-dev", "FLUX.1 [dev] Non-Commercial License", f"{_BFL}/FLUX.1-dev/blob/main/LICENSE.md",
            hub_name="flux-1-dev-non-commercial-license", passes_on="all", commercial=False, asks=_NOT_FOR_MONEY),
    Licence("flux-2", "FLUX Non-Commercial License", f"{_BFL}/FLUX.2-dev", hub_name="flux-non-commercial-license", passes_on="all",
            commercial=False, asks=_NOT_FOR_MONEY),
    Licence("stability", "Stability AI Community License",
            "https://huggingface.co/stabilityai/stable-diffusion-3.5-large/blob/main/LICENSE.md", hub_name="stabilityai-ai-community",
            passes_on="all", asks="A LoRA made of it stands under the same licence, with the notice 'Powered by Stability AI'; who earns "
                                  "more than a million dollars a year needs another one."),
    Licence("tencent-hunyuan", "Tencent Hunyuan Community License", "https://huggingface.co/tencent/HunyuanImage-2.1",
            hub_name="tencent-hunyuan-community", passes_on="all", asks=f"{_SAME} It does not hold in every country."),
    Licence("circlestone", "CircleStone Labs Non-Commercial License", "https://huggingface.co/circlestone-labs/Anima",
            hub_name="circlestone-labs-non-commercial-license", passes_on="all", commercial=False, asks=_NOT_FOR_MONEY),
    Licence("apache-2.0", "Apache 2.0", "https://www.apache.org/licenses/LICENSE-2.0", "apache-2.0"),
    Licence("mit", "MIT", "https://opensource.org/license/mit", "mit"),
    Licence("cc0-1.0", "CC0 1.0 (public domain)", "https://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0"),
    Licence("cc-by-4.0", "CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/", "cc-by-4.0"),
    Licence("cc-by-sa-4.0", "CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/", "cc-by-sa-4.0"),
    Licence("cc-by-nc-4.0", "CC BY-NC 4.0", "https://creativecommons.org/licenses/by-nc/4.0/", "cc-by-nc-4.0", commercial=False),
    Licence("cc-by-nc-sa-4.0", "CC BY-NC-SA 4.0", "https://creativecommons.org/licenses/by-nc-sa/4.0/", "cc-by-nc-sa-4.0",
            commercial=False),
)
LICENCES: Mapping[str, Licence] = {licence.name: licence for licence in _ALL}
WITH_RESTRICTIONS = ("creativeml-openrail-m", "openrail++")
"""Licences that hold the restrictions of the RAIL family."""


def licence_named(words: str) -> Licence | None:
    """The licence that is meant, by its name here, its title, or Hugging Face's; None: another one, or none."""
    wanted = words.strip().lower()
    return next((licence for licence in _ALL if wanted and wanted in
                 (licence.name, licence.title.lower(), licence.hub_name or licence.hub)), None)
