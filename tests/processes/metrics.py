"""What an instance counts, as a test reads it."""

from tests.client import request


async def metrics(url: str) -> dict:
    """Every sample of /metrics: name with its labels → value."""
    answer = await request(url, "GET", "/metrics")
    assert answer.status == 200
    lines = [line.rpartition(" ") for line in answer.body.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}
