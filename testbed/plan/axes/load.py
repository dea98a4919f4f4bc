"""The axes of the section `load`: who asks, and when."""

from testbed.plan.axes.words import called, number, percent
from testbed.plan.axis import Axis, Form
from testbed.plan.fields import Arrivals, Dns, Fraction, Holders, LoadLoop, Mode, Rate, Spinners, Users
from testbed.plan.profile import STEADY, LoadProfile, label

AXES: tuple[Axis, ...] = (
    # Users come as Locust's own `user_count`, which is no option of a run.
    Axis(
        "load.users",
        "users",
        Users,
        (8,),
        "closed loop: users; open loop: the most requests in flight",
        asks="closed loop: users. Otherwise the most requests in flight, at least one for each of `load.workers`",
        default_words="8; 64 in the other modes",
        told_in="load",
    ),
    Axis(
        "load.spinners",
        "spinners",
        Spinners,
        (0,),
        "closed loop: users whose requests have the work, the others send bare echoes; 0: all have it",
        asks="closed loop: so many of the users ask for the work (`sleep`, `spin`, `hash`), the others send bare "
        "echoes, whose latency is told apart. 0: all ask for it",
        earlier=0,
        title="users who ask for the work",
        words=lambda value: f"{value} of the users" if value else "all users",
        told_in="load",
        form=Form("spinners"),
    ),
    Axis(
        "load.idle_holders",
        "idle_holders",
        Holders,
        (0,),
        "silent connections held besides",
        asks="silent connections held besides; each is echoed one line when it comes. A trial whose server does not "
        "hold them all is invalid by the gate `held`, which says what ran out",
        heading="idle",
        title="idle connections",
        told_in="load",
        form=Form("idle_holders"),
    ),
    Axis(
        "load.mode",
        "mode",
        Mode,
        "closed",
        "closed, open, or the search the trial belongs to",
        asks="`closed`: users wait for their reply. `open`: requests start on a schedule. `capacity`: search the "
        "highest rate that holds `slo`. `relative`: then measure `at` shares of it",
        several=False,
        by_search=True,
        title="load",
        words=lambda value: f"{value} loop",
        told_in="load",
        form=Form("mode", lambda mode: "closed" if mode == "closed" else "open"),
    ),
    Axis(
        "load.rate",
        "rate_rps",
        Rate,
        None,
        "open loop: requests per second that were to be sent; of a profile, its mean over the window",
        asks="open loop: requests per second over all workers",
        default_words="needed with `open`, unless `profile` says it",
        by_search=True,
        heading="rate",
        text=number,
        title="requests/s sent",
        told_in="load",
        form=Form("rate", lambda rate: rate or 0, lambda rate: rate or None),
    ),
    Axis(
        "load.profile",
        "profile",
        LoadProfile,
        None,
        "open loop: the rate as it changes over the window, in the short form of the sweep file; none where it does "
        "not",
        asks="open loop: a rate that changes over the window. It begins when the window opens; the warm-up runs at its "
        "first rate, and its last holds until the window closes",
        default_words="none",
        absent=STEADY,
        earlier=STEADY,
        text=label,
        left=True,
        title="profile of the rate",
        words=label,
        told_in="load",
        form=Form("load_profile", lambda text: "" if text == STEADY else text, lambda text: text or STEADY),
    ),
    Axis(
        "load.arrivals",
        "arrivals",
        Arrivals,
        ("constant",),
        "open loop: constant or poisson",
        asks="open modes: when requests start",
        told_in="load",
        form=Form("arrivals"),
    ),
    # The load loop. Neither the container engine nor a server's event loop.
    Axis(
        "load.engine",
        "engine",
        LoadLoop,
        ("fast",),
        "how a worker drives its connections: fast, all at once; plain, as so many users of Locust",
        asks="`fast`: a worker drives all its connections from one epoll. `plain`: each is an ordinary Locust user, "
        "for reading",
        earlier="plain",
        title="engine of the generator",
        form=Form("engine"),
    ),
    Axis(
        "load.precise",
        "precise",
        bool,
        False,
        "true when the generator spun before each intended start instead of being woken",
        asks="open modes with `engine: fast`: spin before each start, on a core of its own",
        several=False,
        earlier=False,
        title="precise starts",
        words=lambda value: "yes" if value else "no",
        form=Form("precise", lambda precise: str(precise).lower()),
    ),
)

DNS = Axis(
    "load.dns",
    "dns",
    Dns,
    None,
    "who asks DNS for the server's addresses: once (a load worker, and takes the first), each (every connection), "
    "all (a load worker, and takes them in turn)",
    asks="with `front: dns`, who asks for the replicas' addresses. `once`: each load worker when the load begins, "
    "and goes to the first ever after. `each`: every connection anew, and takes any of the answer. `all`: "
    "each load worker when the load begins, and its connections take them in turn",
    default_words="`each` with `front: dns`; else a name has one address",
    absent="",
    earlier="once",
    left=True,
    title="DNS is asked",
    words=called({"each": "for each connection", "all": "once for all addresses"}),
    form=Form("dns", lambda dns: dns or "once"),
)

AT = Axis(
    "load.at",
    "share",
    Fraction,
    None,
    "of a search: the part of the rate found in this block that was sent; repeats have it in common",
    asks="shares of the rate that was found",
    default_words="needed with `relative`",
    by_search=True,
    crossed=False,
    text=lambda value: f"{100 * value:g}%",
    title="share of the capacity found",
    words=percent,
)
