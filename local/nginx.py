"""nginx from its wheel, in front of the instances; and the template from which `deploy/nginx.conf` comes as well.

`python -m local.nginx > deploy/nginx.conf` writes the latter; a test holds the two together.
"""

import os
import pwd
import re
import socket
from pathlib import Path

import jinja2

from local import binaries
from local.processes import Process

TEMPLATE = Path(__file__).with_name("nginx.conf.jinja")


class Nginx(Process):
    """One nginx on `host:port` before `servers`, the instances' addresses. Its files live in `directory`."""

    stop_seconds = 5.0

    def __init__(self, directory: Path, port: int, servers, *, host="127.0.0.1", name="nginx", **rest):
        super().__init__(name, **rest)
        self.directory, self.host, self.port, self.servers = Path(directory), host, port, list(servers)

    @property
    def url(self) -> str:
        """The address to open."""
        everywhere = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{everywhere.get(self.host, host)}:{self.port}"

    def prepare(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self._pid_file.unlink(missing_ok=True)
        listen = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host or '*'}:{self.port}"
        # Workers of root would become nobody, who may not reach the instances' sockets.
        user = pwd.getpwuid(0).pw_name if os.geteuid() == 0 else None
        text = render(deploy=False, directory=self.directory, listen=listen, servers=self.servers, user=user)
        self._config.write_text(text)

    def command(self):
        return [binaries.find("nginx"), "-e", "stderr", "-p", self.directory, "-c", self._config]

    def ready(self):
        # Its pid file comes after its sockets; the port alone might be another program's.
        if not self._pid_file.exists():
            return False
        host = self.url.removeprefix("http://").rsplit(":", 1)[0].strip("[]")
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            return probe.connect_ex((host, self.port)) == 0

    def explain(self):
        reasons = [re.sub(r"^.*\[emerg\] [\d#]+: ", "", line) for line in self.log if "[emerg]" in line]
        return reasons[0] if reasons else super().explain()

    @property
    def _config(self):
        return self.directory / "nginx.conf"

    @property
    def _pid_file(self):
        return self.directory / "nginx.pid"


def render(**values) -> str:
    """The configuration, for `make run` and the tests or (`deploy=True`) for a machine of one's own."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    return environment.from_string(TEMPLATE.read_text()).render(values) + "\n"


def render_deploy() -> str:
    """The text of `deploy/nginx.conf`."""
    return render(deploy=True, servers=["unix:/run/parley/web.1.sock", "unix:/run/parley/web.2.sock"])


if __name__ == "__main__":
    print(render_deploy(), end="")
