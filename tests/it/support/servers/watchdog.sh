# Stops the servers of one folder when the test process is gone, however it went: that process
# holds the other end of standard input and never writes to it.
trap '' INT TERM HUP
state=$1
read -r _

alive() {
    for pid in $pids; do kill -0 "$pid" 2>/dev/null && return 0; done
    return 1
}

pids=$(cat "$state/postfix/queue/pid/master.pid" "$state"/dovecot-*/run/master.pid \
    "$state/cyrus/master.pid" 2>/dev/null)
for pid in $pids; do kill -TERM "$pid" 2>/dev/null; done
tries=100
while alive && [ "$tries" -gt 0 ]; do
    tries=$((tries - 1))
    sleep 0.05
done
for pid in $pids; do kill -KILL "$pid" 2>/dev/null; done
rm -rf "$state"
