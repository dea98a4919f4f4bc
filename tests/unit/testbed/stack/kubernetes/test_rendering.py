"""What a cell's manifests say: limits, confinement, who shares a pod, names, load and scaling."""

import subprocess
import sys

import pytest

from loadtests import fields
from loadtests.options import Options
from testbed.errors import UserError
from testbed.plan.scaling import Law
from testbed.stack import compose, kubernetes
from testbed.stack.kubernetes import amounts, scaling
from testbed.stack.kubernetes.pods import WAIT, resources
from testbed.stack.services import Limits, Mount, Network, Role, Service, Stack
from tests.unit.testbed.stack.kubernetes.written import container_of, documents, objects, of_text, option, pod_of

FIXED = "models: spmt\nlimits: {cpus: 0.25, memory: 64MiB}\n"
FRONTED = "models: thread-pool\nreplicas: {count: 3}\nlimits: {cpus: 0.9}\nload: {users: 12, dns: once}\n"
LAW = "models: spmt\nlimits: {cpus: 0.25}\nload: {mode: open, rate: 50}\nduration: 30s\nfront: haproxy\n"


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(), {}),
        (Limits(cpus=0.25, memory_bytes=2**26), {"cpu": "250m", "memory": "64Mi"}),
        (Limits(cpus=2.0), {"cpu": "2"}),
        (Limits(cpus=1 / 3), {"cpu": "333m"}),
        (Limits(memory_bytes=1000), {"memory": "1000"}),
        (Limits(processors="0-1"), {"cpu": "2"}),
        (Limits(cpus=1.0, processors="0"), {"cpu": "1"}),
    ],
)
def test_what_it_may_use_is_what_it_is_given(limits: Limits, said: dict[str, str]) -> None:
    assert resources(limits) == ({"requests": said, "limits": said} if said else {})


@pytest.mark.parametrize(("us", "seconds"), [(0, 0), (1, 1), (20_000_000, 20), (500_000, 1)])
def test_a_window_of_stabilisation_has_whole_seconds(us: int, seconds: int) -> None:
    assert amounts.seconds(us) == seconds


def test_all_of_a_servers_pod_has_limits_so_that_it_is_guaranteed() -> None:
    for kind, name in (("Deployment", "thread-pool"), ("Deployment", "haproxy")):
        pod = pod_of(of_text(FRONTED + "front: haproxy"), kind, name)
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            assert container["resources"]["requests"] == container["resources"]["limits"]
            assert {"cpu", "memory"} == container["resources"]["limits"].keys()
    server = container_of(pod_of(of_text(FRONTED + "front: haproxy"), "Deployment", "thread-pool"), "thread-pool")
    assert server["resources"]["limits"] == {"cpu": "300m", "memory": "128Mi"}


def test_every_container_is_confined_as_in_compose() -> None:
    made = of_text(FRONTED + "front: nginx")
    pods = [one["spec"] for _, one in documents(made) if one["kind"] == "Pod"]
    pods += [one["spec"]["template"]["spec"] for _, one in documents(made) if one["kind"] in ("Deployment", "Job")]
    assert len(pods) == 5
    for pod in pods:
        context = pod["securityContext"]
        assert (context["runAsNonRoot"], context["runAsUser"], context["runAsGroup"]) == (True, 10001, 10001)
        assert context["seccompProfile"] == {"type": "RuntimeDefault"}
        assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
        for container in (*pod["containers"], *pod.get("initContainers", [])):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
    (namespace,) = (one for _, one in documents(made) if one["kind"] == "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_probe_is_in_the_servers_pod_and_finds_its_first_process() -> None:
    pod = pod_of(of_text(FIXED), "Deployment", "spmt")
    assert pod["shareProcessNamespace"] is True
    assert [one["name"] for one in pod["containers"]] == ["spmt", "probe-spmt"]
    words = container_of(pod, "probe-spmt")["args"]
    assert option(words, "--first-process") == "python3 -m servers"
    assert option(words, "--push") == "http://locust:8089/threadmill/samples"
    front = pod_of(of_text(FRONTED + "front: nginx"), "Deployment", "nginx")
    assert option(container_of(front, "probe-nginx")["args"], "--first-process") == "nginx"


def test_nothing_goes_on_checking_the_server_while_it_is_measured() -> None:
    server = container_of(pod_of(of_text(FIXED), "Deployment", "spmt"), "spmt")
    assert server["startupProbe"]["tcpSocket"] == {"port": 8081}
    assert not {"livenessProbe", "readinessProbe"} & server.keys()


def test_the_models_name_has_all_the_addresses_and_there_is_one_with_an_address_of_its_own() -> None:
    found = objects(of_text(FRONTED + "front: dns"))
    assert found["Service", "thread-pool"]["spec"]["clusterIP"] == "None"
    assert found["Service", "thread-pool-cluster-ip"]["spec"]["type"] == "ClusterIP"
    assert found["Deployment", "thread-pool"]["spec"]["replicas"] == 3
    words = found["Job", "locust"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert option(words, "--target") == "thread-pool"


@pytest.mark.parametrize(
    ("front", "told"),
    [
        ("haproxy", {"SERVERS_DNS": "thread-pool.threadmill-a-001.svc.cluster.local", "SLOTS": "3"}),
        ("nginx", {"SERVERS": "thread-pool"}),
    ],
)
def test_a_front_is_told_of_the_servers_and_starts_after_all_of_them(front: str, told: dict[str, str]) -> None:
    made = of_text(FRONTED + f"front: {{kind: {front}, cpus: 0.4, balance: leastconn}}")
    pod = pod_of(made, "Deployment", front)
    environment = {one["name"]: one["value"] for one in container_of(pod, front)["env"]}
    assert {name: value for name, value in environment.items() if name.startswith(("SERVERS", "SLOTS"))} == told
    assert environment["BALANCE"] == "leastconn"
    assert pod["initContainers"][0]["args"] == ["thread-pool=3"]
    master = pod_of(made, "Job", "locust")
    assert master["initContainers"][0]["args"] == ["thread-pool=3", f"{front}=1"]
    container = container_of(master, "locust")
    assert option(container["args"], "--target") == front
    assert {one["name"]: one["value"] for one in container["env"]}["FRONTS"] == f"{front}=thread-pool"


def waited(*words: str) -> "subprocess.CompletedProcess[str]":
    # One second for what lacks, not ten minutes.
    script = WAIT.replace("range(600, -1, -1)", "range(1, -1, -1)")
    assert script != WAIT
    return subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, timeout=30)


def test_waiting_ends_once_there_are_so_many_addresses() -> None:
    assert waited("127.0.0.1=1").returncode == 0
    lacking = waited("127.0.0.1=1", "127.0.0.2=2")
    assert (lacking.returncode, lacking.stderr) == (1, "127.0.0.2: 1 of 2 are there\n")


def test_the_load_runs_the_cell_by_itself() -> None:
    made = of_text(
        "models: spmt\nworkload: {sleep: 5ms, spin: 500us, hash: 20us, payload: 99B, connection: {requests: 7}}\n"
        "load: {mode: open, profile: '100x2s,100-400x3s', users: 33, workers: 3, worker_cpus: 0.5, idle_holders: 50,"
        " arrivals: poisson, precise: true}\nwarmup: 1500ms\nduration: 8s\norder: {seed: 7}"
    )
    words = container_of(pod_of(made, "Job", "locust"), "locust")["args"]
    wanted = {
        "--expect-workers": "3",
        "--users": "33",
        "--spawn-rate": "33",
        "--mode": "open",
        "--load-profile": "100x2s,100-400x3s",
        "--rate": "0",
        "--sleep-us": "5000",
        "--spin-us": "500",
        "--hash-us": "20",
        "--payload-bytes": "99",
        "--connection": "7",
        "--idle-holders": "50",
        "--arrivals": "poisson",
        "--precise": "true",
        "--warmup-s": "1.5",
        "--window-s": "8",
        "--seed": str(7 * 2**20 + 1),
    }
    assert {name: option(words, name) for name in wanted} == wanted
    assert "--autostart" in words
    workers = objects(made)["Job", "worker"]["spec"]
    assert (workers["parallelism"], workers["completions"]) == (3, 3)
    assert workers["template"]["spec"]["containers"][0]["resources"]["limits"] == {"cpu": "500m"}


def test_locust_takes_every_option_that_it_is_given() -> None:
    words = container_of(pod_of(of_text(FIXED), "Job", "locust"), "locust")["args"]
    ours = {f"--{field.name.replace('_', '-')}" for field in fields.with_target(["spmt"], "spmt")}
    locusts = {"--master", "--web-port", "--autostart", "--autoquit", "--expect-workers", "--users", "--spawn-rate"}
    given = {word for word in words if word.startswith("--")}
    assert given <= ours | locusts
    without = {"--services", "--api-key"}
    assert ours - given - without == {"--load-profile", "--spin-units", "--hash-rounds", "--stop-grace-s", "--trial-id"}
    found = {
        name: option(words, f"--{name.replace('_', '-')}")
        for name in Options.__annotations__
        if f"--{name.replace('_', '-')}" in given
    }
    assert fields.parse(found, ["spmt"]).window_s == 10


def test_results_are_on_a_claim_and_there_is_a_pod_to_copy_them_from() -> None:
    made = of_text(FIXED)
    master = pod_of(made, "Job", "locust")
    assert {"name": "load", "persistentVolumeClaim": {"claimName": "results"}} in master["volumes"]
    assert master["securityContext"]["fsGroup"] == 10001
    assert ("PersistentVolumeClaim", "results") in objects(made)
    assert objects(made)["Pod", "collect"]["spec"]["volumes"] == [
        {"name": "load", "persistentVolumeClaim": {"claimName": "results"}}
    ]
    assert "collect" not in made.files["001-spmt-0.25cpu/kustomization.yaml"]


# --- what changes while it runs ---


def test_a_law_on_cpu_is_an_autoscaler_of_the_servers_own_container() -> None:
    law = "{change: replicas, on: cpu, target: 0.6, min: 1, max: 4, every: 15s, up_after: 1500ms, down_after: 20s}"
    made = of_text(f"{LAW}scaling: {law}")
    spec = objects(made)["HorizontalPodAutoscaler", "spmt"]["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 4)
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "spmt"}
    target = {"type": "Utilization", "averageUtilization": 60}
    metric = {"name": "cpu", "container": "spmt", "target": target}
    assert spec["metrics"] == [{"type": "ContainerResource", "containerResource": metric}]
    rules = spec["behavior"]
    assert rules["scaleUp"]["stabilizationWindowSeconds"] == 2
    assert rules["scaleDown"]["stabilizationWindowSeconds"] == 20
    assert "tolerance" not in rules["scaleUp"]
    assert not [line for line in made.not_done if "scaling" in line]
    front = container_of(pod_of(made, "Deployment", "haproxy"), "haproxy")
    assert {one["name"]: one["value"] for one in front["env"]}["SLOTS"] == "4"


@pytest.mark.parametrize(
    ("scaling", "has_one", "says"),
    [
        ("{change: replicas, on: memory, target: 0.5, max: 3}", True, "decided not every 2s but every 15 s"),
        (
            "{change: replicas, on: cpu, target: 0.605, max: 3, every: 15s}",
            True,
            "the target is 60 %: whole percents only",
        ),
        ("{change: replicas, on: latency, target: 20ms, max: 3}", False, "reads cpu and memory by itself, not latency"),
        ("{change: replicas, on: queue, target: 4, max: 3}", False, "not queue"),
        ("{change: replicas, on: errors, target: 0.1, max: 3}", False, "not errors"),
        ("{change: cpus, on: cpu, target: 0.5, max: 2}", False, "changes replicas, not cpus"),
        ("{change: replicas, steps: [{at: 5s, to: 2}]}", False, "at set times of a window"),
        ("{change: memory, steps: [{at: 5s, to: 1GiB}]}", False, "at set times of a window"),
        (
            "{change: replicas, on: cpu, target: 0.6, max: 3, forecast: linear, ahead: 4s}",
            False,
            "has no forecast (linear)",
        ),
    ],
)
def test_what_an_autoscaler_cannot_say_is_said_and_not_done(scaling: str, has_one: bool, says: str) -> None:
    made = of_text(f"{LAW}scaling: {scaling}")
    (line,) = (line for line in made.not_done if line.startswith("scaling"))
    assert says in line
    assert (("HorizontalPodAutoscaler", "spmt") in objects(made)) is has_one
    assert f"# not done: {line}\n" in made.files["001-spmt-0.25cpu/kustomization.yaml"]
    assert f"- {line}\n" in made.files["README.md"]


@pytest.mark.parametrize(("share", "percent"), [(0.29, 29), (0.6, 60), (1.0, 100), (0.0001, 1)])
def test_a_target_has_whole_percents(share: float, percent: int) -> None:
    assert scaling.percent(share) == percent
    lines = scaling.differences(service("a", changes=Law("replicas", "cpu", share, 1, 2, every_us=15_000_000)))
    assert bool(lines) is (share * 100 < 1)


# --- what is not done ---


@pytest.mark.parametrize(
    ("sweep", "says"),
    [
        (FIXED, "server: at most 4096 processes and threads: that limit is the kubelet's (podPidsLimit)"),
        (FIXED, "net.ipv4.tcp_tw_reuse=1 of load and fronts: a pod may set it only on nodes with"),
        ("models: spst\nlimits: {cpus: 2, limit: cpuset}", "server: processors of its own only on nodes whose kubelet"),
        ("models: spst\nlimits: {cpus: 2, limit: both}", "server: processors of its own only on nodes whose kubelet"),
        ("models: spst\nlimits: {cpus: 0.5, limit: both}", "server: no processors of its own: 0.5 is not whole"),
        (
            "models: spst\nlimits: {cpus: 1}\nreplicas: {count: 3}\nfront: dns",
            "server: 0.333333 CPUs are rounded to thousandths",
        ),
        ("models: spst\nrepeat: 5", "repeat: 5 blocks: each start of a cell is one trial"),
        ("models: spst\norder: {redo: disturbed}", "order: no canary, and nothing that was disturbed"),
        ("models: spst", "isolate: no processors are kept"),
        ("models: spst\nload: {mode: open, rate: 5, objective: {p99: 9ms}}", "load.objective: nothing is held"),
        ("models: spst\nimages: {spst: example/mine}", "images: the probe beside spst looks for a first process with"),
        (
            "models: spst\nreplicas: {count: 2}\nfront: nginx\nnetwork: overlay",
            "network overlay: there is the cluster's",
        ),
        ("models: spst\nnetwork: [bridge, shared]", "network shared: not written: 002-spst-1cpu: server and load"),
    ],
)
def test_what_a_cluster_is_not_told_is_said(sweep: str, says: str) -> None:
    made = of_text(sweep)
    assert [line for line in made.not_done if line.startswith(says)], made.not_done
    assert says in made.files["README.md"]


def test_a_line_of_some_cells_names_them() -> None:
    made = of_text("models: spst\nlimits: {cpus: [0.5, 1]}\nload: {idle_holders: [0, 9000]}")
    tasks = [line for line in made.not_done if "processes and threads" in line]
    assert [line.partition(": server")[0] for line in tasks] == [
        "001-spst-0.5cpu, 003-spst-1cpu",
        "002-spst-0.5cpu, 004-spst-1cpu",
    ]


def test_directory_and_namespace_have_the_same_number_where_cells_are_left_out() -> None:
    made = of_text("models: [spst, spmt]\nnetwork: [shared, bridge]")
    assert "| 002-spst-1cpu | threadmill-a-002 |" in made.files["README.md"]
    assert "| 004-spmt-1cpu | threadmill-a-004 |" in made.files["README.md"]


def test_without_a_word_about_it_nothing_is_lacking_of_processors() -> None:
    made = of_text("models: spst\nisolate: false")
    assert not [line for line in made.not_done if "processors" in line]


def test_a_server_in_the_loads_network_is_refused_where_there_is_no_other() -> None:
    with pytest.raises(UserError, match=r"^network: found shared in every cell, allowed for Kubernetes: bridge"):
        of_text("models: spst\nnetwork: shared")


def test_a_search_waits_at_the_page_for_each_rate() -> None:
    made = of_text("models: spst\nload: {mode: relative, slo: {p99: 50ms}, at: [0.5, 0.9]}")
    (line,) = (line for line in made.not_done if line.startswith("load.mode"))
    assert "no search for the highest rate with a p99 of 50 ms, and shares of it (0.5, 0.9)" in line
    found = objects(made)
    words = container_of(pod_of(made, "Deployment", "locust"), "locust")["args"]
    assert "--autostart" not in words and option(words, "--mode") == "open"
    assert ("Job", "worker") not in found and ("Deployment", "worker") in found
    assert "port-forward deployment/locust 8089" in made.files["README.md"]


# --- the renderer by itself ---


def service(name: str, role: Role = "server", **said: object) -> Service:
    return Service(name, role, "example/image", "1:2", **said)  # type: ignore[arg-type]


def rendered(*services: Service) -> kubernetes.Rendered:
    return kubernetes.render(Stack("p", services, (Network("default"),)), kubernetes.Place("n", {"load": "claim"}))


def test_what_shares_only_one_of_a_pods_namespaces_is_refused() -> None:
    alone = service("b", "probe", network=None, sees_processes_of="a")
    with pytest.raises(ValueError, match="b: has to share both network and processes of a"):
        rendered(service("a"), alone)


def test_copies_that_share_pair_off_here_and_cannot_in_compose() -> None:
    beside = service("b", "probe", network=None, sees_processes_of="a", in_network_of="a", copies=3)
    stack = Stack("p", (service("a", copies=3), beside), (Network("default"),))
    made = kubernetes.render(stack, kubernetes.Place("n"))
    assert made.files["a.yaml"].count("\n      - name: ") == 2
    with pytest.raises(ValueError, match="b: shares with a, of which there are copies"):
        compose.project(stack, {})


def test_a_store_needs_a_claim() -> None:
    with pytest.raises(KeyError):
        rendered(service("a", mounts=(Mount("other", "/other"),)))


def test_a_dollar_of_a_command_is_no_variable() -> None:
    made = rendered(service("a", command=("$(HOME) $HOME",), environment={"A": "$(B)"}))
    assert "$$(HOME) $HOME" in made.files["a.yaml"] and "value: $$(B)" in made.files["a.yaml"]


def test_ports_and_signals_of_the_engines_are_said() -> None:
    made = rendered(service("a", published=(80,), stop_signal="SIGINT"))
    assert made.not_done == (
        "server: ports 80 are not published: kubectl port-forward",
        "server: is stopped by its image's signal, not by SIGINT",
    )


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("threadmill", "a-b", "001"), "threadmill-a-b-001"),
        (("T", "0.25_cpu"), "t-0-25-cpu"),
        (("x" * 80, "1"), "x" * 63),
    ],
)
def test_a_namespace_is_a_name_of_dns(words: tuple[str, ...], name: str) -> None:
    assert kubernetes.namespace(*words) == name
