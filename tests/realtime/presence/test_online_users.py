"""Who is online: whatever is lost, doubled or reordered, every process comes to the truth, and a short absence is no absence."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.presence.online_users import MAX_INSTANCES, OnlineUsers

BEAT, GRACE = 5.0, 10.0


def presence(boot="a", **options):
    return OnlineUsers(boot, **{"beat_seconds": BEAT, "grace_seconds": GRACE, **options})


class Net:
    """Processes `a`, `b` and `c` that tick every half second and hear what the others say, unless the test says otherwise."""

    def __init__(self, boots="ab"):
        self.now = 0.0
        self.connected = {boot: set() for boot in boots}
        self.seen = {}
        self.alive = {boot: presence(boot) for boot in boots}
        self.mirrors = {boot: set() for boot in boots}  # what somebody knows who hears nothing but changes
        self.waiting = []
        for process in self.alive.values():
            process.begin()

    def tick(self, deliver=True):
        self.now += 0.5
        for boot, process in self.alive.items():
            self.waiting += process.due(
                None if self.seen.get(boot) == self.connected[boot] else self.connected[boot], self.now
            )
            self.seen[boot] = set(self.connected[boot])
        if deliver:
            self.deliver(range(len(self.waiting)))

    def deliver(self, order):
        for index in order:
            for process in self.alive.values():
                process.receive(json.loads(json.dumps(self.waiting[index])), self.now)
        self.waiting = []
        for boot, process in self.alive.items():
            online, offline = process.changes()
            assert not self.mirrors[boot] & set(online) and set(offline) <= self.mirrors[boot], "a change that is none"
            self.mirrors[boot] = (self.mirrors[boot] | set(online)) - set(offline)
            assert self.mirrors[boot] == process.online

    def pass_time(self, seconds):
        for _ in range(round(2 * seconds)):
            self.tick()

    def online(self, boot):
        return set(self.alive[boot].online)


def test_who_connects_to_one_instance_is_online_on_all_at_the_next_tick():
    net = Net("abc")
    net.connected["a"] = {"ada"}
    net.connected["b"] = {"bob"}
    net.pass_time(1.5)
    assert [net.online(boot) for boot in "abc"] == [{"ada", "bob"}] * 3


def test_who_comes_back_within_the_grace_period_was_never_away():
    net = Net()
    net.connected["a"] = {"ada"}
    net.pass_time(2)
    net.connected["a"] = set()
    net.pass_time(GRACE - 1)
    assert net.online("b") == {"ada"}
    net.connected["a"] = {"ada"}
    net.pass_time(GRACE + 1)
    assert net.online("b") == {"ada"}
    net.connected["a"] = set()
    net.pass_time(GRACE + 1)
    assert net.online("a") == net.online("b") == set()


def test_a_deploy_moves_everybody_without_a_word():
    net = Net()
    net.connected["a"] = {"ada", "bob"}
    net.pass_time(3)
    del net.alive["a"], net.connected["a"], net.mirrors["a"]
    net.pass_time(2)
    net.connected["b"] = {"ada", "bob"}
    for _ in range(60):
        net.tick()
        assert net.online("b") == {"ada", "bob"}


def test_a_dead_instance_takes_its_users_along_after_three_beats():
    net = Net()
    net.connected["a"], net.connected["b"] = {"ada", "bob"}, {"bob"}
    net.pass_time(2)
    del net.alive["a"]
    net.pass_time(3 * BEAT - 2)
    assert net.online("b") == {"ada", "bob"}
    net.pass_time(2 + BEAT)
    assert net.online("b") == {"bob"}


def test_a_lost_last_change_is_found_by_the_next_beat():
    net = Net()
    net.pass_time(2)
    net.connected["a"] = {"ada"}
    net.tick(deliver=False)
    net.waiting = []
    net.pass_time(BEAT + 1.5)
    assert net.online("b") == {"ada"}


def test_a_lost_change_is_found_by_the_next_one():
    net = Net()
    net.pass_time(2)
    net.connected["a"] = {"ada"}
    net.tick(deliver=False)
    net.waiting = []
    net.connected["a"] = {"ada", "bob"}
    net.pass_time(2)
    assert net.online("b") == {"ada", "bob"}


def test_an_old_list_does_not_replace_a_newer_one():
    process = presence()
    for number, users in ((4, ["ada"]), (3, ["bob"]), (4, ["ada"])):
        process.receive({"from": "b", "n": number, "users": users}, 0.0)
        assert set(process.online) == {"ada"}


def test_while_nothing_happens_only_beats_are_said():
    process, said = presence(), []
    process.begin()
    for half in range(1, 121):
        said += process.due({"ada"}, half / 2)
    assert len(said) <= 60 / BEAT + 2
    assert said[-1] == {"from": "a", "n": 1}


def test_after_a_new_beginning_the_others_are_known_anew():
    net = Net()
    net.connected["a"], net.connected["b"] = {"ada"}, {"bob"}
    net.pass_time(2)
    net.alive["b"].begin()
    assert net.online("b") == {"bob"}
    net.pass_time(1.5)
    assert net.online("b") == {"ada", "bob"}


def test_rubbish_is_ignored_and_the_number_of_instances_is_bounded():
    process = presence()
    ids = {"users": [1], "joined": "ada", "left": {}, "ask": 7}
    for message in (
        {},
        {"from": 1},
        {"from": "b"},
        {"from": "b", "n": True},
        {"from": "b", "n": "1"},
        {"from": "b", "n": 1.5},
        {"from": ["b"], "n": 1},
        *({"from": "b", "n": 1, key: value} for key, value in ids.items()),
    ):
        process.receive(message, 0.0)
    assert not process.online
    for number in range(2 * MAX_INSTANCES):
        process.receive({"from": f"b{number}", "n": 0, "users": [f"u{number}"]}, 0.0)
    assert len(process.online) == MAX_INSTANCES
    process.due(set(), 4 * BEAT)
    assert not process.online and not process._others


USERS = st.frozensets(st.sampled_from(["ada", "bob", "cem", "dee"]))
STEP = st.one_of(
    st.tuples(st.just("connect"), st.sampled_from("abc"), USERS),
    st.tuples(st.just("die"), st.sampled_from("abc"), st.none()),
    st.tuples(st.just("begin"), st.sampled_from("abc"), st.none()),
    st.tuples(st.just("pass"), st.integers(1, 40), st.none()),
    st.tuples(st.just("mess"), st.randoms(use_true_random=False), st.none()),
)


@given(st.lists(STEP, max_size=30))
@settings(max_examples=300)
def test_every_process_comes_to_the_truth_whatever_is_lost_doubled_or_reordered(steps):
    net = Net("abc")
    for step, what, users in steps:
        if step == "connect" and what in net.alive:
            net.connected[what] = set(users)
        elif step == "die" and len(net.alive) > 1:
            net.alive.pop(what, None)
            net.connected[what] = set()
        elif step == "begin" and what in net.alive:
            net.alive[what].begin()
        elif step == "pass":
            net.pass_time(what / 2)
        elif step == "mess":
            net.tick(deliver=False)
            net.tick(deliver=False)
            net.deliver(what.choices(range(len(net.waiting)), k=what.randrange(6)) if net.waiting else [])
    net.pass_time(3 * BEAT + GRACE + BEAT)
    everybody = set().union(*net.connected.values())
    assert all(net.online(boot) == everybody for boot in net.alive)
    assert all(not process._leaving for process in net.alive.values())


@given(st.lists(st.tuples(st.sampled_from(["a", "b", None]), st.integers(1, 18)), min_size=1, max_size=20))
def test_nobody_who_is_away_for_less_than_the_grace_period_ever_goes_offline(stays):
    """A user moves between instances, away for at most 9 seconds at a time; nobody sees them go."""
    net = Net()
    net.connected["a"] = {"ada"}
    net.pass_time(2)
    away = 0
    for boot, halves in stays:
        for _ in range(halves):
            away = away + 1 if boot is None else 0
            for one in "ab":
                net.connected[one] = {"ada"} if one == boot or (boot is None and away > 18 and one == "a") else set()
            if net.connected["a"] or net.connected["b"]:
                away = 0
            net.tick()
            assert net.online("a") == net.online("b") == {"ada"}
