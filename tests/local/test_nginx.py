"""nginx with the template's configuration, before small stand-ins for instances."""

import http.client
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local.nginx import Nginx, render_deploy
from local.processes import ROOT, Trouble, free_port


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers that it was sent."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"port": self.server.server_port, "headers": dict(self.headers)}).encode()
        self.send_response(404 if f"not-on-{self.server.server_port}" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


@pytest.fixture
def upstreams():
    """Two servers that stand in for instances."""
    servers = [ThreadingHTTPServer(("127.0.0.1", free_port()), Echo) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def nginx(upstreams, tmp_path):
    server = Nginx(tmp_path, free_port(), [f"127.0.0.1:{upstream.server_port}" for upstream in upstreams])
    server.start()
    yield server
    server.stop()


def request(nginx, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", nginx.port, timeout=10)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_what_a_client_claims_about_itself_is_replaced(nginx):
    claims = {"X-Forwarded-For": "6.6.6.6", "X-Real-IP": "6.6.6.6", "X-Forwarded-Proto": "gopher"}
    headers = json.loads(request(nginx, "GET", "/", headers={"Host": "chat.example.org", **claims})[2])["headers"]
    assert headers["Host"] == "chat.example.org"
    assert headers["X-Forwarded-For"] == headers["X-Real-IP"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "http"
    assert "Connection" not in headers


def test_the_upgrade_of_a_websocket_is_passed_on(nginx):
    asked = {"Connection": "Upgrade", "Upgrade": "websocket"}
    headers = json.loads(request(nginx, "GET", "/ws", headers=asked)[2])["headers"]
    assert (headers["Connection"], headers["Upgrade"]) == ("upgrade", "websocket")


def test_a_dead_instance_is_passed_over(nginx, upstreams):
    dead, living = upstreams
    dead.shutdown()
    dead.server_close()
    answers = [request(nginx, "GET", "/api/me") for _ in range(10)]
    assert {json.loads(body)["port"] for _, _, body in answers} == {living.server_port}


def test_a_file_that_one_instance_has_not_is_asked_of_the_others(nginx, upstreams):
    one, other = (upstream.server_port for upstream in upstreams)
    for _ in range(5):
        status, _, body = request(nginx, "GET", f"/static/build/app.js?not-on-{one}")
        assert (status, json.loads(body)["port"]) == (200, other)
    assert request(nginx, "GET", f"/static/build/app.js?not-on-{one}&not-on-{other}")[0] == 404


@pytest.mark.parametrize("path", ["/api/chats/1", "/chats/1", "/ws"])
def test_whatever_else_is_not_there_is_asked_of_one_instance(nginx, upstreams, path):
    one, _ = (upstream.server_port for upstream in upstreams)
    assert {request(nginx, "GET", f"{path}?not-on-{one}")[0] for _ in range(6)} == {200, 404}


@pytest.mark.parametrize("path", ["/api/me", "/ws"])
def test_without_any_instance_the_error_has_the_projects_shape(nginx, upstreams, path):
    for upstream in upstreams:
        upstream.shutdown()
        upstream.server_close()
    status, headers, body = request(nginx, "GET", path)
    assert status == 503
    assert headers["Content-Type"] == "application/json"
    assert headers["Retry-After"] == "1"
    error = json.loads(body)["error"]
    assert error["code"] == "unavailable" and error["message"] and error["field"] is None


def test_a_body_far_too_large_for_any_instance_is_refused_in_the_projects_shape(nginx):
    status, _, body = request(nginx, "POST", "/api/chats", headers={"Content-Length": str(2**21)})
    assert status == 413
    assert json.loads(body)["error"]["code"] == "body_too_large"


def test_a_port_in_use_is_said_in_one_line(nginx, tmp_path):
    second = Nginx(tmp_path / "second", nginx.port, nginx.servers)
    with pytest.raises(Trouble, match=r"^nginx did not start: bind\(\) to .* failed .*[Ii]n use"):
        second.start()
    assert not second.alive


def test_the_configuration_to_deploy_is_what_the_template_says():
    assert Path(ROOT, "deploy/nginx.conf").read_text() == render_deploy()


def test_a_frozen_instance_costs_a_request_no_more_than_seven_seconds(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as frozen:  # accepts in the kernel, and never answers
        server = Nginx(tmp_path, free_port(), [f"127.0.0.1:{frozen.getsockname()[1]}"])
        server.start()
        try:
            began = time.monotonic()
            status, headers, body = request(server, "GET", "/api/me")
        finally:
            server.stop()
    assert time.monotonic() - began < 7
    assert (status, headers["Retry-After"], json.loads(body)["error"]["code"]) == (503, "1", "unavailable")
