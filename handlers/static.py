"""Files that browsers load, kept by them for as long as that is safe."""

from pathlib import Path

from tornado.web import HTTPError, StaticFileHandler

from web.base_handler import Base

ROOT = Path(__file__).parent.parent / "static"
_SETTINGS = {"static_path": str(ROOT), "static_url_prefix": "/static/"}


def static_url(path: str) -> str:
    """The address of a file under static/, with a `?v=` that changes with its content."""
    return StaticFileHandler.make_static_url(_SETTINGS, path)


class StaticFile(Base, StaticFileHandler):
    """One file under static/."""

    quiet = True

    def initialize(self, route):
        super().initialize(route, path=str(ROOT))

    def set_extra_headers(self, path):
        # Kept for good only under its own version: during a deploy, a page of the new release may ask an old instance.
        given = self.request.query_arguments.get("v", [b""])[-1].decode("latin1")
        lasting = given != "" and given == self.get_version(_SETTINGS, path)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if lasting else "no-cache")

    def validate_absolute_path(self, root, absolute_path):
        if "\0" in absolute_path:
            raise HTTPError(404)  # no file can be named so, and asking the system would fail
        return super().validate_absolute_path(root, absolute_path)

    def get_cache_time(self, path, modified, mime_type):
        return 0  # `set_extra_headers` says it all


class Favicon(StaticFile):
    """For whoever asks at the usual place."""

    def head(self):
        return super().head("icon.svg")

    def get(self, path="icon.svg", include_body=True):
        return super().get(path, include_body)
