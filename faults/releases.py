"""The releases in `releases.txt`, and which of them an upgrade starts from."""

from dataclasses import dataclass
from pathlib import Path

from local import builds
from local.builds import Build

LIST = Path(__file__).with_name("releases.txt")
REFUSES_UNKNOWN_KINDS = "refuses-unknown-kinds"


@dataclass(frozen=True)
class Release:
    commit: str  # as it stands in the list
    refuses_unknown_kinds: bool


@dataclass(frozen=True)
class Upgrade:
    """From the build `before` to this one. `new_kinds`: whether this one's instances write events of a kind that `before` does not know."""

    before: Build
    new_kinds: bool


def parse(text: str) -> list[Release]:
    """The list. Raises `ValueError`."""
    found = []
    for line in text.splitlines():
        commit, *words = line.partition("#")[0].split() or [""]
        if unknown := set(words) - {REFUSES_UNKNOWN_KINDS}:
            raise ValueError(f"{LIST.name} says {min(unknown)!r} of {commit}, which means nothing")
        if commit:
            found.append(Release(commit, REFUSES_UNKNOWN_KINDS in words))
    return found


def before(releases: list[Release], head: str, commit_of=builds.commit_of) -> Release:
    """The newest release that is not `head`. Raises `ValueError` where there is none."""
    for release in reversed(releases):
        if commit_of(release.commit) != head:
            return release
    raise ValueError(f"{LIST.name} has no release before this one")


def upgrade(commit: str | None = None) -> Upgrade:
    """The upgrade from this commit, or from the release before. Raises `Trouble`."""
    releases, head = parse(LIST.read_text(encoding="utf-8")), builds.commit_of("HEAD")
    build = builds.set_up(commit or before(releases, head).commit)
    refuses = {builds.commit_of(release.commit) for release in releases if release.refuses_unknown_kinds}
    return Upgrade(build, build.commit not in refuses)
