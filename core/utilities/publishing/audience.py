"""Who will see what is published."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from core.base.errors import StudioError
from core.base.findings import Finding
from core.base.hub_writing import ask_hub, hub_api
from core.utilities.publishing.release import Release
from core.utilities.publishing.repository import repository_of


def seen_by_everybody(release: Release) -> bool | None:
    """Whether everybody sees it at once; None: the repository of a pull request could not be looked at. Only for one is it asked for."""
    settings = release.settings
    if settings.to != "hub" or not settings.pull_request:
        return settings.to == "hub" and not settings.private
    wanted, what = repository_of(release), "The look at the far end"
    try:
        api = hub_api()
        name = wanted if "/" in wanted else f"{ask_hub(what, api.whoami, once=True)['name']}/{wanted}"
        if not ask_hub(what, partial(api.repo_exists, name), once=True):
            return not settings.private
        return not ask_hub(what, partial(api.repo_info, name), once=True).private
    except StudioError:
        return None


def audience_findings(release: Release, seen: bool | None) -> Iterator[Finding]:
    """Args: seen: as `seen_by_everybody`."""
    settings, name = release.settings, repository_of(release)
    if settings.to == "hub" and settings.pull_request and seen is not False:
        what = (f"{name} can be seen by everybody, and so can a pull request with all its files, also before it is accepted." if seen else
                f"Whether everybody can see {name} could not be looked at; what a pull request brings is seen by whom the repository is.")
        yield Finding("warning", what, "For yourself alone, choose a private repository of your own.")
    elif seen:
        yield Finding("info", "Everybody will see it as soon as it is published.")
