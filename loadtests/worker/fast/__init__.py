"""The fast engine: all connections of a worker on one epoll, driven from gevent's loop, without a greenlet per request.

A user of Locust is still one connection. Its greenlet hands the connection over (`Loop.join`, `Loop.drive`) and
sleeps until the run is over, so ramp-up, stop and the numbers in the page mean what they mean with the plain user
(`loadtests/worker/users.py`), which is the version to read first. Both give the same answers; this costs a fraction.

`connection.py` is one connection, `closed.py` and `open.py` say when it sends, `loop.py` waits for all of them, and
`feed.py` tells Locust what happened, in batches.
"""
