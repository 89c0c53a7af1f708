"""The limits of one instance's real-time side."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The settings of the same names; times are seconds."""

    head_check_seconds: float = 2.0
    head_check_degraded_seconds: float = 0.5
    canary_seconds: float = 1.0
    canary_timeout_seconds: float = 3.0
    replay_page: int = 100
    replay_limit: int = 1000
    socket_buffer_bytes: int = 256 * 1024
    socket_stall_seconds: float = 30.0
    hello_seconds: float = 5.0
    frames_per_second: int = 20
    max_sockets_per_user: int = 50
    presence_participants: int = 100
    presence_beat_seconds: float = 5.0
    presence_grace_seconds: float = 10.0
    activity_viewers: int = 20
    channel_scope: str = "all"
