"""The objects of a stack, and the files of a kustomization that have them. Pure.

A service that ends by itself is a Job, every other a Deployment; those that share its namespaces are in its pods. A
name that others use is a Service without an address of its own, so that it has the addresses of the pods, as a name has
in the network of a Compose project.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml

from testbed.names import image_name
from testbed.stack.kubernetes import scaling
from testbed.stack.kubernetes.amounts import is_exact, is_whole
from testbed.stack.kubernetes.pods import NAME, PART_OF, SAFE_KERNEL, labels, pod
from testbed.stack.services import RUN_LABEL, TRIAL_LABEL, Service, Stack

Object = dict[str, Any]

# By default of every cluster that kubeadm, kind, minikube or k3s set up.
CLUSTER_DOMAIN = "cluster.local"
# Of the Service with an address of its own before the servers, which is one more way to spread connections.
CLUSTER_IP_SUFFIX = "-cluster-ip"
CLAIM_BYTES = "1Gi"

_OURS = image_name("")
_TAG = "latest"
_MOST_NAME = 63


@dataclass(frozen=True)
class Place:
    """Where a stack goes: its namespace, the volume claim of each store, and, in place of `threadmill/`, where its
    images are, such as `registry.example/team/`. Not `is_new`: namespace and claims are another stack's, and there."""

    namespace: str
    claims: Mapping[str, str] = field(default_factory=dict)
    images: str = ""
    is_new: bool = True


@dataclass(frozen=True)
class Rendered:
    """Texts by file name, and a line for each thing that the stack says and a cluster is not told."""

    files: Mapping[str, str]
    not_done: tuple[str, ...]


def namespace(*words: str) -> str:
    """A namespace's name out of these: lower case letters, digits and dashes, at most 63."""
    text = re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")
    return text[:_MOST_NAME].strip("-")


def domain(space: str) -> str:
    """What stands behind the name of a Service of this namespace in DNS."""
    return f"{space}.svc.{CLUSTER_DOMAIN}"


def render(stack: Stack, place: Place) -> Rendered:
    """The kustomization. ValueError where services share what containers of a pod cannot; KeyError without a claim."""
    hosts = [service for service in stack.services if service.in_network_of is None]
    files = {"namespace.yaml": [_namespace(stack, place)]} if place.is_new else {}
    for service in hosts:
        files[f"{service.name}.yaml"] = _objects(stack, service, place)
    lines = tuple(dict.fromkeys(line for service in stack.services for line in _not_done(service)))
    kustomization = _kustomization(files, place, {service.image for service in stack.services})
    head = "".join(f"# not done: {line}\n" for line in lines)
    texts = {name: yaml_text(*objects) for name, objects in files.items()}
    return Rendered({"kustomization.yaml": head + yaml_text(kustomization), **texts}, lines)


def yaml_text(*objects: Object) -> str:
    """Documents of one file."""
    return yaml.dump_all(objects, Dumper=_Plain, sort_keys=False, width=120)


class _Plain(yaml.CSafeDumper):
    """The same value at two places is written at both, and a text of several lines as it is."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the dumper's own signature
        return True


def _text(dumper: _Plain, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Plain.add_representer(str, _text)


def _objects(stack: Stack, service: Service, place: Place) -> list[Object]:
    services = [_service(service, name, headless=True) for name in (service.name, *service.aliases) if service.listens]
    if service.role == "load master":
        # Its name has to be known to those that start before it.
        services = [_service(service, name, headless=False) for name in (service.name, *service.aliases)]
    if service.role == "server":
        services.append(_service(service, f"{service.name}{CLUSTER_IP_SUFFIX}", headless=False))
    claims = [_claim(service, place.claims[mount.store]) for mount in service.mounts if place.is_new]
    spec = scaling.autoscaler(service)
    scaler = [] if spec is None else [_object("autoscaling/v2", "HorizontalPodAutoscaler", service, spec)]
    return [*claims, *services, _workload(stack, service, place), *scaler]


def _object(version: str, kind: str, service: Service, spec: Object, name: str = "") -> Object:
    metadata = {"name": name or service.name, "labels": labels(service)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}


def _workload(stack: Stack, service: Service, place: Place) -> Object:
    if service.role == "holder":
        return _object("v1", "Pod", service, pod(stack, service, place.claims, "Never"))
    template = {"metadata": {"labels": labels(service)}}
    count = service.copies or 1
    if service.ends:
        template["spec"] = pod(stack, service, place.claims, "Never")
        spec = {"backoffLimit": 0, "completions": count, "parallelism": count, "template": template}
        return _object("batch/v1", "Job", service, spec)
    template["spec"] = pod(stack, service, place.claims)
    selector = {"matchLabels": {NAME: service.name}}
    # Never two generations side by side, which would share the load.
    spec = {"replicas": count, "selector": selector, "strategy": {"type": "Recreate"}, "template": template}
    return _object("apps/v1", "Deployment", service, spec)


def _service(service: Service, name: str, headless: bool) -> Object:
    spec: Object = {"clusterIP": "None"} if headless else {"type": "ClusterIP"}
    ports = [{"name": f"tcp-{port}", "port": port, "targetPort": port} for port in service.listens]
    return _object("v1", "Service", service, {**spec, "selector": {NAME: service.name}, "ports": ports}, name)


def _claim(service: Service, name: str) -> Object:
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": CLAIM_BYTES}}}
    return _object("v1", "PersistentVolumeClaim", service, spec, name)


def _namespace(stack: Stack, place: Place) -> Object:
    said = stack.services[0].labels
    kept = {name: said[name] for name in (RUN_LABEL, TRIAL_LABEL) if name in said}
    # The cluster refuses what is less confined than this.
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    metadata = {"name": place.namespace, "labels": {PART_OF: "threadmill", **kept, **enforced}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _kustomization(files: Iterable[str], place: Place, images: Iterable[str]) -> Object:
    ours = sorted(image for image in images if image.startswith(_OURS))
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": place.namespace,
        "resources": list(files),
        "images": [
            {"name": image, "newName": f"{place.images or _OURS}{image.removeprefix(_OURS)}", "newTag": _TAG}
            for image in ours
        ],
    }


def _not_done(service: Service) -> list[str]:
    # By its role: those of the other cells have other names.
    limits, name = service.limits, service.role
    lines = scaling.differences(service)
    if limits.tasks is not None:
        lines.append(
            f"{name}: at most {limits.tasks} processes and threads: that limit is the kubelet's (podPidsLimit)"
        )
    if limits.processors is not None:
        if limits.cpus is None or is_whole(limits.cpus):
            lines.append(
                f"{name}: processors of its own only on nodes whose kubelet has cpuManagerPolicy static; elsewhere a "
                "quota alone"
            )
        else:
            lines.append(
                f"{name}: no processors of its own: {limits.cpus:g} is not whole, and only whole ones are given"
            )
    if limits.cpus is not None and not is_exact(limits.cpus):
        lines.append(f"{name}: {limits.cpus:.6g} CPUs are rounded to thousandths")
    lines += [
        f"{setting}={value} of load and fronts: a pod may set it only on nodes with --allowed-unsafe-sysctls"
        for setting, value in service.kernel.items()
        if setting not in SAFE_KERNEL
    ]
    if service.published:
        lines.append(f"{name}: ports {', '.join(map(str, service.published))} are not published: kubectl port-forward")
    if service.stop_signal is not None:
        lines.append(f"{name}: is stopped by its image's signal, not by {service.stop_signal}")
    return lines
