import pytest

from servers.config import ConfigError, read_config


def test_defaults_need_no_variable() -> None:
    config = read_config({}, cpus=0.5)
    assert (config.host, config.port, config.workers, config.backlog) == ("0.0.0.0", 8081, 2, 1024)
    assert (config.max_connections, config.idle_timeout_s, config.drain_timeout_s) == (1024, 300.0, 5.0)
    assert config.packet_log is False
    assert config.allow_faults is False
    assert config.shared_counter is False
    assert (config.threads, config.switch_interval_us) == (16, 0)
    assert config.max_line >= 65_536 + 64  # the largest payload of a load test, with its directives


@pytest.mark.parametrize(("cpus", "workers"), [(0.25, 2), (1.0, 2), (2.0, 2), (2.5, 3), (8.0, 8)])
def test_workers_follow_the_cpu_limit(cpus: float, workers: int) -> None:
    assert read_config({}, cpus).workers == workers


def test_values_are_read_and_an_empty_variable_counts_as_unset() -> None:
    env = {"PORT": "0", "WORKERS": "7", "IDLE_TIMEOUT": "0.5", "PACKET_LOG": "1", "HOST": "::1", "BACKLOG": ""}
    config = read_config(env, cpus=1.0)
    assert (config.port, config.workers, config.idle_timeout_s, config.packet_log) == (0, 7, 0.5, True)
    assert (config.host, config.backlog) == ("::1", 1024)


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("PORT", "65536", "a whole number from 0 to 65535"),
        ("PORT", "http", "a whole number from 0 to 65535"),
        ("PORT", "-1", "a whole number from 0 to 65535"),
        ("PORT", "٣", "a whole number from 0 to 65535"),
        ("WORKERS", "0", "a whole number from 1 to 1024"),
        ("BACKLOG", "1e3", "a whole number from 1 to 65535"),
        ("MAX_CONNECTIONS", "0", "a whole number from 1 to 100000"),
        ("MAX_LINE", "1", "a whole number from 16 to 16777216"),
        ("IDLE_TIMEOUT", "nan", "a number of seconds from 0 to 86400"),
        ("IDLE_TIMEOUT", "soon", "a number of seconds from 0 to 86400"),
        ("DRAIN_TIMEOUT", "-1", "a number of seconds from 0 to 3600"),
        ("PACKET_LOG", "yes", "0 or 1"),
        ("ALLOW_FAULTS", "true", "0 or 1"),
        ("SHARED_COUNTER", "all", "0 or 1"),
        ("THREADS", "0", "a whole number from 1 to 1024"),
        ("SWITCH_INTERVAL_US", "0.5", "a whole number from 0 to 10000000"),
        ("SWITCH_INTERVAL_US", "10000001", "a whole number from 0 to 10000000"),
    ],
)
def test_a_bad_value_names_variable_value_and_what_is_allowed(name: str, value: str, allowed: str) -> None:
    with pytest.raises(ConfigError) as failure:
        read_config({name: value}, cpus=1.0)
    assert str(failure.value) == f"{name}={value!r}: must be {allowed}"


def test_a_huge_value_is_one_short_line() -> None:
    with pytest.raises(ConfigError) as failure:
        read_config({"PORT": "9\n" * 100_000}, cpus=1.0)
    assert len(str(failure.value)) < 200
    assert "\n" not in str(failure.value)
