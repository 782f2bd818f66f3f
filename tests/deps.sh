#!/bin/sh
# deps.sh build|check|bench|asan|lint - installs the Debian packages that are missing; quick when all are there.
#
# With apt and root (or sudo without a password) it installs them; else it prints what is needed and fails.
set -u
what=${1:-build}
case $what in
build) packages="gcc make pkg-config libxml2-dev libcsv-dev libarchive-dev zlib1g-dev nettle-dev libjansson-dev libcmocka-dev inotify-tools tzdata" ;;
check) # What tests of whole sites look with, and talk to; without strace, rsync and chattr a few cases are left out.
       packages="procps python3 passwd openssh-server openssh-client strace rsync e2fsprogs" ;;
bench) packages="python3 strace perl libtext-csv-xs-perl libxml-libxml-perl python3-lxml miller xsltproc xmlstarlet" ;;
asan)  # libFuzzer's runtime is a package of its own, named by clang's version.
       clang=$(for c in clang clang-14 clang-19 clang-18 clang-17 clang-16; do command -v $c && break; done)
       packages=clang
       [ -z "$clang" ] || packages="libclang-rt-$($clang -dumpversion | cut -d. -f1)-dev" ;;
lint)  packages="clang-tidy cppcheck" ;;
*)     echo "usage: deps.sh build|check|bench|asan|lint" >&2; exit 2 ;;
esac

missing() {
    if command -v dpkg-query > /dev/null; then
        # shellcheck disable=SC2086
        dpkg-query -W -f '${Package} ${db:Status-Abbrev}\n' $packages 2> /dev/null | awk -v all="$packages" '
            $2 ~ /^i/ { have[$1] = 1 }
            END { n = split(all, p, " "); for (i = 1; i <= n; i++) if (!have[p[i]]) print p[i] }'
    elif [ "$what" = build ]; then
        for tool in "${CC:-cc}" make pkg-config; do command -v "$tool" > /dev/null || echo "$tool"; done
        for p in libxml-2.0 libarchive nettle jansson cmocka; do pkg-config --exists $p 2> /dev/null || echo "$p"; done
    fi | while read -r p; do
        # pkgconf is as good, and brings the same command.
        [ "$p" = pkg-config ] && command -v pkg-config > /dev/null || printf '%s ' "$p"
    done
}

# The lists of a new machine are empty or old: they are fetched when the first try fails.
install_packages() {
    # shellcheck disable=SC2086
    $root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $lack 2>&1
}

lack=$(missing)
if [ -n "$lack" ]; then
    root=
    [ "$(id -u)" = 0 ] || root="sudo -n"
    if command -v apt-get > /dev/null && { [ -z "$root" ] || $root true 2> /dev/null; }; then
        echo "installing $lack"
        log=$(install_packages) || log=$($root apt-get update -q 2>&1; install_packages) || printf '%s\n' "$log" | tail -20 >&2
        lack=$(missing)
    fi
fi
# asan's clang is known only now.
[ "$what" = asan ] && [ -z "$lack" ] && [ -z "$clang" ] && exec "$0" asan

if [ -n "$lack" ]; then
    echo "These packages are needed and missing: $lack" >&2
    echo "As root:  apt-get update && apt-get install $lack" >&2
    [ "$what" != build ] || echo "Elsewhere: a C11 compiler, GNU make, pkg-config, libxml2, libcsv, libarchive, nettle, jansson, cmocka, inotify-tools" >&2
    exit 1
fi

# Peers from npm are wanted, not needed: without npm the bench leaves them out.
bench=${BUILD:-build}/bench
if [ "$what" = bench ] && command -v npm > /dev/null && [ ! -d "$bench/node_modules/sax" ]; then
    mkdir -p "$bench"
    npm install --silent --no-audit --no-fund --prefix "$bench" csv-parse@7.0.3 sax@1.6.1 || echo "npm could not install csv-parse and sax: left out"
fi
exit 0
