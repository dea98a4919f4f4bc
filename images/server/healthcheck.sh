# One real echo, by bash alone: starting a Python interpreter for it would cost more CPU than most servers here are given.
#
# Docker asks every second, so that `docker compose up --wait` returns at once, and has no longer interval for later
# (before Engine 25). Each time costs about 30 ms of the server's CPU limit, most of it for entering the container.
# Hence: once healthy, the check itself first sleeps for half a minute, which costs nothing.
port=${PORT:-8081}
been_healthy=/dev/shm/threadmill-been-healthy

# Reading from a socket that nobody writes to is a sleep without a child process, which the server might have to reap.
[[ -e $been_healthy ]] && read -r -t 30 <>/dev/udp/127.0.0.1/9

# A connection that waits in the accept queue behind one that is being served (a person holds the only slot of spst) is
# the model at work, not a fault. Asking again would put one more into that queue each time.
printf -v port_hex '%04X' "$port"
waiting=
while read -r _ local _ state queues _ _ _ _ inode _; do
    [[ $local == *:"$port_hex" ]] || continue
    if [[ $state == 0A ]]; then # listening: the second number is how many connections wait to be accepted
        [[ ${queues#*:} == 00000000 ]] || waiting=yes # in one of the queues, where workers have one each
    elif [[ ! $waiting ]]; then # the listening ones come first
        break
    elif [[ $state == 01 && $inode != 0 ]]; then # established, and the server has accepted it
        exit 0
    fi
done </proc/net/tcp

exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
expected=healthcheck
if [[ $FACE == http ]]; then
    expected='HTTP/1.1 200 OK'$'\r'
    printf 'HEAD /healthcheck HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
else
    echo healthcheck >&3
fi
read -r -t 2 reply <&3
if [[ $reply != "$expected" ]]; then
    echo "no echo within 2 s on port $port"
    exit 1
fi
: >"$been_healthy"
