"""How fast one user may change things."""

from web.rate_limiter import RateLimiter


def test_after_a_burst_one_may_go_on_at_the_rate():
    now = [0.0]
    pace = RateLimiter(10, 20, clock=lambda: now[0])
    assert [pace.take("anna") for _ in range(21)] == [0] * 20 + [1]
    assert pace.take("bert") == 0
    now[0] = 0.1
    assert [pace.take("anna") for _ in range(2)] == [0, 1]
    now[0] = 100
    assert [pace.take("anna") for _ in range(21)] == [0] * 20 + [1]


def test_the_wait_is_told_in_whole_seconds():
    pace = RateLimiter(0.1, 1, clock=lambda: 0.0)
    assert [pace.take("anna") for _ in range(2)] == [0, 10]


def test_mutations_beyond_the_pace_are_refused_with_the_time_to_wait(serve):
    served = serve(MUTATIONS_PER_SECOND="1")
    user, other = served.user(), served.user()
    chat = user.chat()
    user.say(chat)
    refused = user.post(f"/api/chats/{chat}/messages", {"content": "Too soon"})
    assert refused.refusal == (429, "too_fast")
    assert refused.headers["Retry-After"] == "1"
    assert user.get(f"/api/chats/{chat}").json["head"] == 2
    assert other.chat()
