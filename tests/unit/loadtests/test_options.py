import pytest

from loadtests import fields, segments
from loadtests.field import OptionError

TARGETS = ["spst", "event-loop"]


def parse(**found):
    return fields.parse({"target": "spst", **found}, TARGETS)


def test_defaults_are_a_plain_echo_on_a_kept_connection_until_stopped():
    found = parse()
    assert (found.connection, found.payload_bytes, found.window_s, found.trial_id) == ("persistent", 64, 0.0, "")
    assert found.requests_per_connection is None
    assert (found.mode, found.idle_holders, found.hash_rounds, found.stop_grace_s) == ("closed", 0, 0, 1.0)
    assert (found.protocol, found.open_loop) == ("line", False)


@pytest.mark.parametrize(
    ("connection", "requests"), [("persistent", None), ("per-request", 1), ("1", 1), ("20", 20), (" 5 ", 5)]
)
def test_connection_says_how_many_requests_it_is_kept_for(connection, requests):
    assert parse(connection=connection).requests_per_connection == requests


def test_text_from_a_form_becomes_numbers():
    found = parse(payload_bytes="1", think_ms="0.5", sleep_us="10000000", spin_units="7", warmup_s="2", window_s="1e1")
    assert (found.payload_bytes, found.think_ms, found.sleep_us, found.spin_units) == (1, 0.5, 10_000_000, 7)
    assert (found.warmup_s, found.window_s) == (2.0, 10.0)


@pytest.mark.parametrize(
    ("field", "found", "allowed"),
    [
        ("target", "nginx", "one of spst, event-loop"),
        ("connection", "sometimes", "persistent, per-request or a whole number"),
        ("connection", "0", "from 1 to"),
        ("connection", "-3", "from 1 to"),
        ("payload_bytes", "0", "from 1 to 65536"),
        ("payload_bytes", "65537", "from 1 to 65536"),
        ("payload_bytes", "1.5", "a whole number"),
        ("payload_bytes", "", "a whole number"),
        ("think_ms", "-1", "a number from 0"),
        ("think_ms", "nan", "a number from 0"),
        ("think_ms", "inf", "a number from 0"),
        ("sleep_us", "ten", "a whole number from 0 to 10000000"),
        ("spin_units", "-1", "a whole number from 0"),
        ("warmup_s", "1s", "a number from 0"),
        ("window_s", "-0.1", "a number from 0"),
        ("reply_timeout_s", "0", "a number from 0.001"),
        ("protocol", "HTTP/2", "line or http"),
        ("mode", "half-open", "closed or open"),
        ("arrivals", "uniform", "constant or poisson"),
        ("rate", "-1", "a number from 0"),
        ("rate", "inf", "a number from 0"),
        ("idle_holders", "10001", "from 0 to 10000"),
        ("hash_rounds", "x", "a whole number from 0"),
        ("stop_grace_s", "6", "a number from 0 to 5"),
        ("seed", "-1", "a whole number from 0"),
        ("trial_id", "../../etc/passwd", "letters, digits"),
        ("trial_id", ".hidden", "no dot in front"),
        ("trial_id", "a/b", "letters, digits"),
        ("trial_id", "a" * 201, "at most 200"),
    ],
)
def test_a_bad_value_is_one_line_with_the_field_what_was_found_and_what_is_allowed(field, found, allowed):
    with pytest.raises(OptionError) as caught:
        parse(**{field: found})
    message = str(caught.value)
    assert message.startswith(f"{field}: ")
    assert allowed in message
    assert repr(found[:37])[:-1] in message
    assert "\n" not in message


def test_options_survive_the_way_to_a_worker():
    found = parse(connection="20", trial_id="t-1.a_b")
    assert fields.parse(found.as_dict(), ["spst"]) == found


def test_an_open_loop_has_a_rate_and_arrivals():
    found = parse(mode="open", rate="2500.5", arrivals="poisson", seed="9")
    assert (found.open_loop, found.rate, found.arrivals, found.seed) == (True, 2500.5, "poisson", 9)


def test_a_profile_says_the_rates_of_an_open_loop():
    found = parse(mode="open", load_profile=" 100x20s, 400x1m", window_s=80)
    assert (found.load_profile, found.rate) == ("100x20s,400x60s", 0)
    assert found.profile is not None
    assert found.profile.length_s == 80
    assert fields.parse(found.as_dict(), ["spst"]) == found
    assert parse(mode="open", rate=5).profile is None
    # Until Stop: its last rate holds.
    assert parse(mode="open", load_profile="100x20s").window_s == 0


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"load_profile": "5x9s"}, "load_profile: '5x9s' needs mode open"),
        ({"mode": "open", "load_profile": "5x9s", "rate": 5}, "rate: load_profile says the rates, so 0, not 5"),
        (
            {"mode": "open", "load_profile": "5x9s,6x2s", "window_s": 10},
            "load_profile: at most as long as the window, 10 s, not 11 s",
        ),
        ({"mode": "open", "load_profile": "0x9s"}, "load_profile: a rate above 0 somewhere, not 0 throughout"),
        (
            {"mode": "open", "load_profile": "5x9s,6xs"},
            f"load_profile: segment 2, '6xs': allowed: {segments.NOTATION}",
        ),
    ],
)
def test_a_profile_that_cannot_be_run_is_refused_in_one_line(form, message):
    with pytest.raises(OptionError) as caught:
        parse(**form)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"mode": "open"}, "rate: mode open needs requests per second above 0, not 0"),
        ({"mode": "open", "rate": 5, "think_ms": 3}, "think_ms: mode open has no think time, so 0, not 3"),
        (
            {"mode": "open", "rate": 5, "spinners": 3},
            "spinners: 3 needs mode closed: in an open loop whoever is idle sends",
        ),
        ({"spinners": 3, "behind": "store"}, "spinners: 3 needs behind none, method post and no services"),
        ({"rate": 5}, "rate: mode closed has none, so 0, not 5; or choose mode open"),
        ({"arrivals": "poisson"}, "arrivals: poisson needs mode open"),
    ],
)
def test_what_belongs_to_the_other_mode_is_refused_rather_than_ignored(form, message):
    with pytest.raises(OptionError) as caught:
        parse(**form)
    assert str(caught.value) == message


def test_items_have_keys_and_a_skew_with_nothing_behind():
    found = parse(protocol="http", method="get", keys=100, zipf=1.1)
    assert (found.gets, found.keys, found.zipf) == (True, 100, 1.1)
    assert parse(protocol="http", method="get", behind="store").gets
    assert not parse(protocol="http").gets


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ({"method": "put"}, "method: post or get, not 'put'"),
        ({"method": "get"}, "method: get needs protocol http, not line"),
        ({"method": "get", "protocol": "http", "keys": 0}, "keys: at least 1 with method get, not 0"),
        ({"method": "get", "protocol": "http", "behind": "broker"}, "method: post with a broker behind"),
        (
            {"method": "get", "protocol": "http", "behind": "store", "reads": 0.5},
            "so reads 1 and scans 0, not reads 0.5",
        ),
        ({"method": "get", "protocol": "http", "behind": "store", "scans": 0.5}, "and scans 0.5"),
        ({"method": "post", "protocol": "http", "zipf": 1}, "zipf: nothing is behind"),
    ],
)
def test_items_are_got_by_http_alone_and_never_written(form, reason):
    with pytest.raises(OptionError, match=reason):
        parse(**form)
