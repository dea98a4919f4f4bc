"""``python -m servers MODEL`` runs one model; the configuration comes from environment variables."""

import signal
import sys


def main(arguments: list[str]) -> None:
    # Before the imports: a stop that comes while they run is kept, also as PID 1, where the default is to ignore it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    from servers.lifecycle import run
    from servers.models import find

    if len(arguments) != 1 or find(arguments[0]) is None:
        from servers.models import SERVERS  # here, because it imports every model

        problem = f"unknown model {' '.join(arguments)!r}" if arguments else "no model given"
        print(f"servers: {problem}: python -m servers {{{'|'.join(SERVERS)}}}", file=sys.stderr)
        sys.exit(2)
    run(arguments[0])


if __name__ == "__main__":
    main(sys.argv[1:])
