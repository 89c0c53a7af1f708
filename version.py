"""The version of this release, once: `pyproject.toml`, the OpenAPI document, /healthz and `welcome` take it from here."""

VERSION = "1.0.0"
