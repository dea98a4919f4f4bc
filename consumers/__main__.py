"""`python3 -m consumers` takes messages from the broker until it is told to stop, then says what it has done."""

import os
import signal
import sys

from consumers.record import Record
from consumers.settings import Settings, SettingsError, read


def _work(settings: Settings, record: Record) -> None:
    # Each needs a package of its own, which takes memory and time.
    if settings.kind == "rabbitmq":
        from consumers import rabbit

        stopped: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda got, _: stopped.append(got))
        rabbit.work(settings, record, lambda: bool(stopped))
    else:
        from consumers import nats

        nats.work(settings, record)


def main() -> int:
    """Exit code 0 after SIGTERM; 2, with one line, for what cannot be."""
    try:
        settings = read(os.environ)
        record = Record(settings.output)
    except (SettingsError, OSError) as error:
        print(f"consumer: {error}", file=sys.stderr)
        return 2
    _work(settings, record)
    print(record.report(), flush=True)
    return 0


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    # All is said. What an interpreter puts away at its end takes it seconds under a tenth of a CPU.
    os._exit(code)
