"""Images on every node: through a registry, or from engine to engine. A node runs the very image, known by its id."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import docker.errors

from testbed.errors import UserError
from testbed.stack.swarm.nodes import UNREACHABLE, Node

# Of a transfer; larger ones save nothing.
_CHUNK_BYTES = 2**20


def image_id(client: Any, image: str) -> str | None:
    """The image's content id on this engine, or None when it does not exist there."""
    try:
        found: str = client.images.get(image).id
    except docker.errors.ImageNotFound:
        return None
    return found


def carry(
    manager: Any, nodes: Sequence[Node], images: Sequence[str], registry: str | None, say: Callable[[str], None]
) -> dict[str, str]:
    """Have these images of the manager's engine on all nodes. Returns the id of each.

    With `registry` the manager pushes and the nodes pull; without, each image goes over the engines' own API, through
    the caller. UserError, one line, where an image is not there, cannot be carried, or is another one where it arrives.
    """
    ids: dict[str, str] = {}
    for image in dict.fromkeys(images):
        found = image_id(manager, image)
        if found is None:
            raise UserError(f"{image}: no such image on the manager's engine; `make images` builds those of Threadmill")
        ids[image] = found
    pushed: dict[str, str] = {}
    for node in nodes:
        lacking = [image for image, wanted in ids.items() if image_id(node.client, wanted) is None]
        for number, image in enumerate(lacking, 1):
            say(f"[images] {image} to node {node.name} ({number} of {len(lacking)}) ...")
            if registry is None:
                _send(manager, node, image, ids[image])
            else:
                pushed[image] = pushed.get(image) or _push(manager, image, ids[image], registry)
                _pull(node, image, pushed[image])
            _check(node, image, ids)
    return ids


def _check(node: Node, image: str, ids: Mapping[str, str]) -> None:
    if image_id(node.client, ids[image]) is None:
        raise UserError(
            f"node {node.name}: has another image as {image} than the manager's {ids[image][:19]}; its engine may keep "
            "images in another kind of store: let all engines use the same"
        )


def _send(manager: Any, node: Node, image: str, its_id: str) -> None:
    """Engine to engine: what one saves, the other loads, and nothing is kept on the way."""
    try:
        # Sent as it comes in. By its name, which it carries along: an image without one is what a prune removes.
        saved = manager.images.get(its_id).save(chunk_size=_CHUNK_BYTES, named=f"{image}:latest")
        for line in node.client.api.load_image(saved):
            if "error" in line:
                raise UserError(f"node {node.name}: {image} cannot be loaded there: {line['error']}")
    except UNREACHABLE as error:
        raise UserError(f"node {node.name}: {image} cannot be loaded there: {' '.join(str(error).split())}") from None


def _push(manager: Any, image: str, its_id: str, registry: str) -> str:
    """Returns the name by which it is pulled: its tag is of its id, so that it is never another one."""
    repository, tag = f"{registry}/{image}", its_id.removeprefix("sha256:")[:16]
    manager.images.get(its_id).tag(repository, tag)
    try:
        for line in manager.api.push(repository, tag, stream=True, decode=True):
            if "error" in line:
                raise UserError(f"--registry {registry}: {image} cannot be pushed: {line['error']}")
    except UNREACHABLE as error:
        raise UserError(f"--registry {registry}: {image} cannot be pushed: {' '.join(str(error).split())}") from None
    finally:
        with contextlib.suppress(docker.errors.APIError):
            manager.images.remove(f"{repository}:{tag}")
    return f"{repository}:{tag}"


def _pull(node: Node, image: str, reference: str) -> None:
    repository, _, tag = reference.rpartition(":")
    try:
        # Its own name is what `watch` asks for.
        node.client.images.pull(repository, tag=tag).tag(image)
    except UNREACHABLE as error:
        raise UserError(f"node {node.name}: cannot pull {reference}: {' '.join(str(error).split())}") from None
