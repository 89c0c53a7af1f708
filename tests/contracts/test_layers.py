"""Who may import whom: server → handlers → web → realtime → chat → store, never back; workers → chat. And importing does nothing."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
OURS = {
    *("server", "settings", "metrics", "errors", "version", "store", "chat", "realtime", "web", "handlers", "workers"),
    *("local", "faults", "bench", "tests"),
}
ANYBODY = {"metrics", "errors", "version"}
# Each layer may import itself and what stands below it.
LAYERS = ("store", "chat", "realtime", "web", "handlers")
MAY_IMPORT = {
    "metrics": set(),
    "settings": set(),
    "errors": set(),
    "version": set(),
    **{layer: {*ANYBODY, *LAYERS[: LAYERS.index(layer) + 1]} for layer in LAYERS},
    # Beside realtime: neither knows the other, and the server introduces them.
    "workers": {"workers", *ANYBODY, "chat", "store"},
    "server": {"settings", *ANYBODY, *LAYERS, "workers"},
    "local": {"local", "settings"},
}
FORBIDDEN = {
    "store": {"tornado", "redis", "jinja2"},
    "chat": {"tornado", "redis", "jinja2"},
    "realtime": {"psycopg2", "aiopg", "jinja2"},
    "workers": {"tornado", "redis", "jinja2", "psycopg2", "aiopg"},
    "web": {"psycopg2", "aiopg", "redis"},
    "handlers": {"psycopg2", "aiopg", "redis"},
}
SOURCES = sorted(
    path.relative_to(ROOT) for part in MAY_IMPORT for path in [*ROOT.glob(f"{part}.py"), *(ROOT / part).rglob("*.py")]
)


def imported(path) -> set[str]:
    """Top-level names of the modules that a file imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("path", SOURCES, ids=str)
def test_a_module_imports_only_what_its_layer_may(path):
    layer = path.parts[0].removesuffix(".py")
    assert imported(path) & OURS <= MAY_IMPORT[layer]
    assert not imported(path) & FORBIDDEN.get(layer, set())


def test_importing_everything_does_nothing():
    """No output, thread, socket or task; and whatever is read from disk was read by Python's own import."""
    modules = [
        ".".join(path.with_suffix("").parts).removesuffix(".__init__") for path in SOURCES if path.name != "__main__.py"
    ]
    program = f"""
import importlib, socket, sys, threading
def refuse(*arguments): raise AssertionError("a socket was opened")
socket.socket.connect = socket.socket.bind = refuse
for name in {modules!r}:
    importlib.import_module(name)
assert threading.active_count() == 1, threading.enumerate()
"""
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
