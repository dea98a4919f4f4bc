"""Sweeps under which something gives way that is no trial's doing: containers go, and what is finished stays."""

import io
import os
import secrets
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.names import image_name
from testbed.stack.services import TRIAL_LABEL
from tests.e2e.stack import CLIENT, containers_of, orchestrate, terminal
from tests.e2e.test_sweep import results_of, write_sweep
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images")]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small file system is mounted for this test: it needs root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(directory: Path) -> Path:
    """A file that takes all the room there is."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        while True:
            file.write(bytes(4096))
    return ballast


def test_a_full_disk_ends_the_sweep_in_a_line_and_leaves_no_container(
    tmp_path: Path,
    small_disk: Path,
    name: str,
) -> None:
    path = write_sweep(tmp_path, name, repeat=2)
    with terminal("sweep", path, "--results", small_disk / "results") as shown:
        shown.wait_for("001-b1-event-loop-0.5cpu: ")
        shown.wait_for("002-b2-event-loop-0.5cpu window")
        ballast = fill(small_disk)
        assert shown.end() == 3, shown.output
    assert containers_of(name) == []
    assert "Traceback" not in shown.output
    (line,) = [line for line in shown.output.splitlines() if "the testbed failed: " in line]
    assert "No space left on device" in line
    results, rows = results_of(small_disk / "results")
    assert f"sweep --resume {results}" in line
    assert [row["trial_id"] for row in rows] == ["001-b1-event-loop-0.5cpu"]
    assert [entry.name for entry in (results / "trials").iterdir()] == ["001-b1-event-loop-0.5cpu"]

    ballast.unlink()
    done = orchestrate("sweep", "--resume", results)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["status"] for row in results_of(small_disk / "results")[1]] == ["ok", "ok"]


@pytest.fixture
def probe_image() -> Iterator[str]:
    """The name of a probe's image that cannot be started."""
    image = f"threadmill-test/probe-{secrets.token_hex(4)}"
    recipe = f'FROM {image_name("probe")}\nENTRYPOINT ["/no/such/program"]\n'
    CLIENT.images.build(fileobj=io.BytesIO(recipe.encode()), tag=image, rm=True)
    yield image
    CLIENT.images.remove(image, force=True)


def test_a_stack_that_half_started_is_removed_and_its_port_is_free_for_the_next_trial(
    tmp_path: Path,
    probe_image: str,
    name: str,
) -> None:
    # Two models: two services, so that Compose does not put the second server in the first one's place by itself.
    path = write_sweep(
        tmp_path,
        name,
        models=["spst", "event-loop"],
        network="shared",
        duration="1s",
        images={"probe": probe_image},
    )
    broken = CLIENT.images.get(probe_image)

    def repair() -> None:
        """From the second trial on the probe is the real one: a container keeps the image that it was made from."""
        wait_until(lambda: [one for one in containers_of(name) if one.image == broken], "the first probe is made", 120)
        CLIENT.images.get(image_name("probe")).tag(probe_image)

    repairer = threading.Thread(target=repair, daemon=True)
    repairer.start()
    done = orchestrate("sweep", path, "--results", tmp_path / "results")
    repairer.join()
    CLIENT.images.remove(broken.id, force=True)
    assert done.returncode == 1, done.stdout + done.stderr
    results, rows = results_of(tmp_path / "results")
    assert [row["status"] for row in rows] == ["failed", "ok"], rows
    assert "docker compose up failed: " in rows[0]["reasons"]
    # The server that had started has its log saved.
    assert "Server started on port 8081" in (results / "trials" / rows[0]["trial_id"] / "server.log").read_text()
    assert not [one for one in containers_of(name) if TRIAL_LABEL in one.labels]
