#!/usr/bin/env bash
# Everything the project checks, in the order in which it fails soonest.
#
# Wants Debian 12 with Rust (rustfmt and clippy included), and root: it installs Dovecot, Postfix,
# Node, Redis and valgrind if they are missing, unpacks Cyrus IMAP into a folder under /opt, and the
# tests start servers of their own on loopback. Servers that the machine runs already are not touched.
set -euo pipefail
cd "$(dirname "$0")"

# What a program with all three protocols and TLS compiles: smallest feature set, most crates.
core_features=smtp,imap,pop,ring
most_crates=31

main() {
    step 'Programs'
    [ "$(id -u)" = 0 ] || fail 'the tests start Dovecot and Postfix, which want root'
    install_missing gcc libc6-dev openssl valgrind postfix microsocks tinyproxy redis-server \
        dovecot-core dovecot-imapd dovecot-pop3d dovecot-submissiond dovecot-lmtpd "${cyrus_needs[@]}"
    unpack_cyrus
    # The OAuth server of the tests; a Node that is there already will do, from 18 on.
    { command -v node && command -v npm; } >/dev/null || install_missing nodejs npm

    step 'Format'
    cargo fmt --check

    step 'Lints, all features'
    cargo clippy --locked --all-targets --all-features -- -D warnings

    step "Lints, only $core_features"
    cargo clippy --locked --all-targets --no-default-features --features "$core_features" -- -D warnings

    step 'Documentation'
    RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps --all-features

    step "Crates with only $core_features"
    count_crates

    step 'Quickstart'
    cargo run --locked --example quickstart

    step 'Figures'
    cargo bench --locked --bench figures --features compress

    step 'Examples and tests with dependencies of their own'
    apart examples/with-reqwest cargo test --locked
    apart examples/with-mail-parser cargo test --locked
    apart examples/with-mail-builder cargo test --locked
    apart examples/with-redis ./test.sh
    apart tests/oracles cargo test --locked

    step 'Tests'
    cargo test --locked --all-features
}

# Runs a command in a folder that is a workspace of its own, so that what it needs is no dependency of
# the crate's tests. All of them build in one folder: what one has compiled the next need not.
apart() {
    local folder=$1
    shift
    echo "-- $folder: $*"
    (
        export CARGO_TARGET_DIR=$PWD/target/examples-apart
        cd "$folder"
        cargo fmt --check
        "$@"
    )
}

step() {
    current=$1
    printf '\n== step: %s\n' "$current"
}

fail() {
    printf 'test.sh: %s\n' "$1" >&2
    exit 1
}

# Installs those of the named Debian packages that are missing, without starting their daemons.
install_missing() {
    local package missing=()
    for package; do
        [ "$(dpkg-query -W -f '${Status}' "$package" 2>&1)" = 'install ok installed' ] ||
            missing+=("$package")
    done
    if [ ${#missing[@]} = 0 ]; then
        echo 'all there'
        return
    fi
    echo "installing ${missing[*]}"
    hold_daemons
    apt-get -q update
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
    release_daemons
}

# Cyrus IMAP cannot be installed beside Dovecot, so its packages are only unpacked, where
# tests/it/support/servers/cyrus.rs looks for it. These are the libraries it is linked to.
cyrus_folder=/opt/mailbearer-tests/cyrus
cyrus_needs=(libcom-err2 libical3 libicu72 libjansson4 libkrb5-3 libpcre3 libpq5 libsasl2-2
    libsasl2-modules libsqlite3-0 libssl3 libwrap0 libxapian30 libxml2 zlib1g)
unpack_cyrus() {
    [ ! -x "$cyrus_folder/usr/lib/cyrus/bin/imapd" ] || return 0
    echo "unpacking cyrus-imapd into $cyrus_folder"
    local package parts=$cyrus_folder.parts
    rm -rf "$cyrus_folder" "$parts"
    mkdir -p "$parts/tree"
    (
        cd "$parts"
        apt-get -q update
        # By default it downloads as a user who may not write here.
        apt-get -q -o APT::Sandbox::User=root download cyrus-common cyrus-imapd
        for package in *.deb; do dpkg-deb -x "$package" tree; done
    )
    chmod 755 "${cyrus_folder%/*}" "$parts/tree"
    # The last step: a folder that is there is whole.
    mv "$parts/tree" "$cyrus_folder"
    rm -r "$parts"
}

# A policy that says 101 keeps packages from starting what they install. One that the machine has
# already is put back afterwards.
daemon_policy=/usr/sbin/policy-rc.d
hold_daemons() {
    if [ -e "$daemon_policy" ]; then mv "$daemon_policy" "$daemon_policy.held"; fi
    printf '#!/bin/sh\nexit 101\n' >"$daemon_policy"
    chmod 755 "$daemon_policy"
    holding=yes
}

release_daemons() {
    [ "${holding-no}" = yes ] || return 0
    holding=no
    rm -f "$daemon_policy"
    if [ -e "$daemon_policy.held" ]; then mv "$daemon_policy.held" "$daemon_policy"; fi
}

count_crates() {
    local crates count
    crates=$(cargo tree --locked -e normal --prefix none \
        --no-default-features --features "$core_features" | sed 's/ (\*)$//' | sort -u)
    count=$(wc -l <<<"$crates")
    echo "$count crates, this one included; at most $most_crates"
    [ "$count" -le "$most_crates" ] || fail "too many crates:"$'\n'"$crates"
}

finish() {
    local status=$?
    release_daemons
    [ "$status" = 0 ] || printf '\ntest.sh: failed at step: %s\n' "$current" >&2
    exit "$status"
}

trap finish EXIT
main
