"""The files under static/: one build of them, under an address that changes when any of them does.

`/static/<build>/<path>` is kept by browsers for good, so a visit asks only for what the one before did not load. Modules import each other
relatively, so everything that a page loads comes from the build that the page names. An instance answers the address of another build only with
what cannot make a mixture of two releases: see `StaticFiles.find`.
"""

import gzip
import hashlib
import posixpath
import re
from functools import cached_property
from pathlib import Path

from errors import Refused
from web.base_handler import Base

ROOT = Path(__file__).parent.parent / "static"
FOR_GOOD = "public, max-age=31536000, immutable"

_TYPES = {  # not what the machine's mime.types says, which differs from one to the next
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
_TEXT = (".css", ".js", ".svg")
# `import … from "./a.js"`, `import "./a.js"` and `export … from "./a.js"`, each at the beginning of a line.
_IMPORT = re.compile(r"""^(?:import|export)\b(?:[^"';]*?\bfrom)?\s*["'](\.{1,2}/[^"']+)["']""", re.MULTILINE)
_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))", re.IGNORECASE)


class File:
    """One file as browsers are given it."""

    def __init__(self, path: str, content: bytes):
        self.content = content
        self.type = _TYPES.get(posixpath.splitext(path)[1], "application/octet-stream")
        self.compressible = path.endswith(_TEXT)
        # Weak: the same for the file and for the file compressed.
        self.etag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.content, 9, mtime=0)


class StaticFiles:
    """Everything under a folder as it is now. `build` says which files with which contents, and is the same on every machine that has the same.

    All of it is read at once and kept: a process that runs on while a deploy replaces the files below it must not give away new content under
    its own build's address. Raises ValueError where a module imports what is not there.
    """

    def __init__(self, root: Path):
        paths = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
        names = sorted(
            name for name in paths if not re.search(r"(?:^|/)\.", name)
        )  # .DS_Store and its like are nobody's
        self._files = {name: File(name, paths[name].read_bytes()) for name in names}
        digest = hashlib.sha256()
        for name, file in self._files.items():
            digest.update(f"{name}\0{len(file.content)}\0".encode() + file.content)
        self.build = digest.hexdigest()[:16]
        self._prefix = self.build + "/"
        self._imports = {name: self._imported(name) for name in self._files if name.endswith(".js")}

    def url(self, path: str) -> str:
        """The address of a file in this build. Raises KeyError where there is none."""
        self._files[path]
        return f"/static/{self.build}/{path}"

    def modules(self, path: str) -> list[str]:
        """The addresses of all modules that a module imports, directly or not, nearest first."""
        found = {path: None}  # as an ordered set
        for name in (queue := [path]):
            new = [other for other in self._imports[name] if other not in found]
            found.update(dict.fromkeys(new))
            queue += dict.fromkeys(new)
        return [self.url(name) for name in found if name != path]

    def find(self, path: str) -> tuple[File | None, bool]:
        """The file that the rest of an address under /static/ names, if any, and whether browsers may keep it for good.

        Of another build's files, known by an id that is not ours, only those directly under static/ are answered: they stand alone, so the
        icon of an open tab is still found after a deploy. Modules and stylesheets belong together, and of another build there are none here.
        Without any id they are what an address of 1.0 before builds meant: whatever is here now.
        """
        if path.startswith(self._prefix):
            return self._files.get(path.removeprefix(self._prefix)), True
        if path in self._files:
            return self._files[path], False
        name = path.partition("/")[2]
        return (None if "/" in name else self._files.get(name)), False

    def _imported(self, name):
        text = self._files[name].content.decode()
        found = [posixpath.normpath(posixpath.join(posixpath.dirname(name), other)) for other in _IMPORT.findall(text)]
        if missing := set(found) - self._files.keys():
            raise ValueError(f"static/{name} imports static/{min(missing)}, which is not there")
        return found


class StaticFile(Base):
    """One file under static/."""

    quiet = True
    file: File | None = None

    def head(self, path):
        return self.get(path)

    def get(self, path):
        self.file, for_good = self.settings["static_files"].find(path)
        if self.file is None:
            raise Refused("not_found")
        self.set_header("Cache-Control", FOR_GOOD if for_good else "no-cache")
        self.set_header("Content-Type", self.file.type)
        content = self.file.content
        if self.file.compressible:
            self.set_header("Vary", "Accept-Encoding")
            if _GZIP.search(self.request.headers.get("Accept-Encoding", "")):
                self.set_header("Content-Encoding", "gzip")
                content = self.file.compressed
        self.finish(content)

    def compute_etag(self):
        return self.file and self.file.etag


class Favicon(StaticFile):
    """For whoever asks at the usual place."""

    def head(self):
        return self.get()

    def get(self):
        return super().get("icon.svg")
