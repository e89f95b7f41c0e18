#!/usr/bin/env bash
# Several processes that share one sign-in in Redis lose no refresh token.
#
# Wants Debian 12 with Rust; and root, if redis-server is missing and has to be installed. The
# server that it starts is its own, on a free loopback port; others are not touched.
set -euo pipefail
cd "$(dirname "$0")"

main() {
    command -v redis-server >/dev/null || install_redis
    cargo build --locked
    folder=$(mktemp -d)
    start_redis
    cargo run --locked --quiet -- "redis://127.0.0.1:$port"
}

# A port is free until somebody else takes it: so another one is tried then.
start_redis() {
    local attempt
    for attempt in 1 2 3 4 5; do
        port=$((20000 + RANDOM % 12000))
        : >"$folder/log"
        # With fewer promises than these, Redis can forget a token that it has taken.
        redis-server --bind 127.0.0.1 --port "$port" --dir "$folder" \
            --appendonly yes --appendfsync always --save '' >"$folder/log" 2>&1 &
        redis=$!
        while kill -0 "$redis" 2>/dev/null; do
            if grep -q 'Ready to accept connections' "$folder/log"; then return; fi
            sleep 0.05
        done
        wait "$redis" || true
        unset redis
    done
    cat "$folder/log" >&2
    exit 1
}

# Without starting its daemon: a policy that says 101 forbids that. One that the machine has already
# is put back afterwards.
policy=/usr/sbin/policy-rc.d
install_redis() {
    if [ -e "$policy" ]; then mv "$policy" "$policy.held"; fi
    holding=yes
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    apt-get -q update
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends redis-server
    release_daemons
}

release_daemons() {
    [ "${holding-no}" = yes ] || return 0
    holding=no
    rm -f "$policy"
    if [ -e "$policy.held" ]; then mv "$policy.held" "$policy"; fi
}

finish() {
    release_daemons
    if [ -n "${redis-}" ]; then
        kill "$redis" 2>/dev/null || true
        wait "$redis" || true
    fi
    if [ -n "${folder-}" ]; then rm -rf "$folder"; fi
}

trap finish EXIT
main
