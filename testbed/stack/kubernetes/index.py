"""What stands on top of the kustomizations of a sweep: which there are, how one is run, what is not done. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_HEAD = """\
# {name}: {count} for Kubernetes

Made by `orchestrate.py manifests`. One directory is one cell of the sweep, in a namespace of its own. Only one may run
at a time, or each is measured under the others' load; so there is no kustomization of all.
"""

_RUN = """
## Run one

From this directory:
```
cell={directory} namespace={namespace}
kubectl apply -k $cell
kubectl wait --for=condition=complete job/{master} --timeout=30m -n $namespace
kubectl apply -k $cell/{collector}
kubectl wait --for=condition=ready pod/{collector} --timeout=5m -n $namespace
mkdir -p results
kubectl cp $namespace/{collector}:/results/load results/$cell
kubectl delete namespace $namespace
```
Each run is a file `web-TIME-TARGET.json`, beside it `.probe.ndjson`, what the probes saw. Once more with fresh servers
and the results kept: `kubectl delete job,deployment --all -n $namespace`, then from `kubectl apply -k $cell` on.
`kubectl logs -f job/{master} -n $namespace` tells what it waits for.
"""

_RUN_BY_HAND = """
## Run one

From this directory:
```
cell={directory} namespace={namespace}
kubectl apply -k $cell
kubectl wait --for=condition=available deployment --all --timeout=10m -n $namespace
kubectl port-forward deployment/{master} 8089 -n $namespace
```
Open http://127.0.0.1:8089, give the rate and press Start, as often as it takes. Then, in another terminal:
```
kubectl scale deployment/{master} --replicas=0 -n $namespace
kubectl apply -k $cell/{collector}
kubectl wait --for=condition=ready pod/{collector} --timeout=5m -n $namespace
mkdir -p results
kubectl cp $namespace/{collector}:/results/load results/$cell
kubectl delete namespace $namespace
```
Each run is a file `web-TIME-TARGET.json`, beside it `.probe.ndjson`, what the probes saw.
"""


@dataclass(frozen=True)
class Entry:
    """A cell's directory and namespace, its values by heading, and what is not done of it."""

    directory: str
    namespace: str
    values: Mapping[str, str]
    not_done: Sequence[str]


def not_done(entries: Sequence[Entry], of_sweep: Sequence[str]) -> list[str]:
    """All lines, each once, with the cells that it is of where it is not of all."""
    cells: dict[str, list[str]] = {}
    for entry in entries:
        for line in entry.not_done:
            cells.setdefault(line, []).append(entry.directory)
    return [*of_sweep, *(f"{_of(these, len(entries))}{line}" for line, these in cells.items())]


def _of(these: Sequence[str], all_of_them: int) -> str:
    if len(these) == all_of_them:
        return ""
    shown = ", ".join(these[:2])
    return f"{shown}{f' and {len(these) - 2} more' if len(these) > 2 else ''}: "


def text(name: str, entries: Sequence[Entry], lines: Sequence[str], by_hand: bool, master: str, collector: str) -> str:
    """The page. `lines` are those of `not_done`; `by_hand`: a person starts each run. At least one entry."""
    count = f"{len(entries)} cell{'s' if len(entries) > 1 else ''}"
    run = (_RUN_BY_HAND if by_hand else _RUN).format(
        directory=entries[0].directory, namespace=entries[0].namespace, master=master, collector=collector
    )
    headings = list(entries[0].values)
    rows = [["directory", "namespace", *headings], ["---"] * (len(headings) + 2)]
    rows += [[entry.directory, entry.namespace, *entry.values.values()] for entry in entries]
    table = "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |\n" for row in rows)
    said = "".join(f"- {line}\n" for line in lines)
    return f"{_HEAD.format(name=name, count=count)}\n{table}{run}\n## Not done\n\n{said or 'Nothing.' + chr(10)}"
