import pytest

from loadtests.targets import address_of, first_choice, offered, read_fronts, read_one_at_a_time, read_targets


def test_models_are_found_by_their_names_on_the_load_containers_network():
    assert read_targets({"TARGETS": "spst, event-loop"}) == {"spst": ("spst", 8081), "event-loop": ("event-loop", 8081)}


def test_an_address_says_where_a_model_is_and_adds_one_that_is_not_listed():
    environ = {"TARGETS": "spst,spmt", "TARGET_ADDRESSES": "spmt=127.0.0.1:9, far=[::1]:80"}
    assert read_targets(environ) == {"spst": ("spst", 8081), "spmt": ("127.0.0.1", 9), "far": ("::1", 80)}


def test_without_the_variables_there_are_no_targets():
    assert read_targets({}) == {}
    assert read_one_at_a_time({}) == frozenset()


def test_those_that_serve_one_client_at_a_time_are_named_by_who_starts_the_load():
    assert read_one_at_a_time({"ONE_AT_A_TIME": "spst, mine"}) == {"spst", "mine"}


@pytest.mark.parametrize(
    "item", ["spmt", "spmt=", "spmt=host", "spmt=host:", "spmt=host:x", "spmt=:1", "=h:1", "a=h:0"]
)
def test_an_address_that_is_none_is_named(item):
    with pytest.raises(ValueError, match="TARGET_ADDRESSES: each item is model=host:port") as caught:
        read_targets({"TARGET_ADDRESSES": f"ok=h:1,{item}"})
    assert repr(item) in str(caught.value)


@pytest.mark.parametrize(
    ("up", "first"),
    [
        ({"alone": True, "many": True, "more": True}, "many"),
        ({"alone": True, "many": False, "more": True}, "more"),
        ({"alone": True, "many": False, "more": False}, "alone"),
        ({"alone": False, "many": False, "more": False}, "alone"),
        ({}, "alone"),
    ],
)
def test_the_page_offers_what_serves_several_clients_before_what_serves_one(up, first):
    assert first_choice(["alone", "many", "more"], up, {"alone"}) == first


def test_where_nothing_is_told_of_them_the_page_offers_the_first_that_is_up():
    assert first_choice(["alone", "many"], {"alone": True, "many": True}, ()) == "alone"


def test_a_replica_of_a_target_is_a_host_of_that_name() -> None:
    targets = {"spmt": ("10.0.0.7", 9000), "thread-pool": ("thread-pool", 8081)}
    assert address_of("spmt", targets) == ("10.0.0.7", 9000)
    assert address_of("spmt-12", targets) == ("spmt-12", 8081)
    assert address_of("thread-pool-1", targets) == ("thread-pool-1", 8081)
    assert address_of("spmt:8082", targets) == ("10.0.0.7", 8082)
    assert address_of("front-2", targets) == ("front-2", 8081)
    assert address_of("spmt-12:8082", targets) == ("spmt-12", 8082)
    for wrong in ("spmt:", "spmt:0", "spmt:65536", "spmt:a", "spst:8082", "spmt:1:2", ":8082"):
        assert address_of(wrong, targets) is None, wrong
    assert [address_of(name, targets) for name in ("spst-1", "spmt-", "spmt-a", "spmt1", "-1", "")] == [None] * 6


def test_a_front_is_a_target_after_the_models_and_has_one_of_them_behind_it():
    environ = {"TARGETS": "spst,spmt", "FRONTS": "haproxy=spmt, nginx=spst", "TARGET_ADDRESSES": "nginx=127.0.0.1:9"}
    targets = read_targets(environ)
    assert list(targets) == ["spst", "spmt", "nginx", "haproxy"]
    assert (targets["haproxy"], targets["nginx"]) == (("haproxy", 8081), ("127.0.0.1", 9))
    assert read_fronts(environ, targets) == {"haproxy": "spmt", "nginx": "spst"}


@pytest.mark.parametrize("item", ["haproxy", "haproxy=", "=spmt", "haproxy=mpmt", "spmt=spmt"])
def test_a_front_of_what_is_no_target_is_named(item):
    with pytest.raises(ValueError, match="FRONTS: each item is front=model with a model of TARGETS, not") as caught:
        read_targets({"TARGETS": "spmt", "FRONTS": item})
    assert repr(item) in str(caught.value)


def test_a_front_is_offered_while_it_is_up_and_then_first():
    names, fronts = ["alone", "many", "haproxy", "nginx"], {"haproxy": "many", "nginx": "many"}
    up = {"alone": True, "many": True, "haproxy": False, "nginx": True}
    assert offered(names, up, fronts) == ["alone", "many", "nginx"]
    assert first_choice(names, up, {"alone"}, fronts) == "nginx"
    assert offered(names, {}, fronts) == ["alone", "many"]
