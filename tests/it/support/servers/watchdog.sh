# Stops the servers of one test bed when the test process is gone, however it went: that process
# holds the other end of standard input and never writes to it.
trap '' INT TERM HUP
state=$1
read -r _

stop() { # PID-FILE: TERM, wait, and KILL what is left after five seconds
    pid=$(tr -dc 0-9 <"$1" 2>/dev/null) && [ -n "$pid" ] || return 0
    kill -TERM "$pid" 2>/dev/null || return 0
    tries=100
    while kill -0 "$pid" 2>/dev/null; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || { kill -KILL "$pid" 2>/dev/null; break; }
        sleep 0.05
    done
}

stop "$state/postfix/queue/pid/master.pid"
stop "$state/dovecot-jwt/run/master.pid"
stop "$state/dovecot-introspection/run/master.pid"
rm -rf "$state"
