#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# install.sh - install the Debian packages that a target needs
#
#	install.sh build|demo|check
#
# Asks dpkg what is missing and installs exactly that, so that a second run
# costs nothing and needs neither root nor the network.  An ordinary user is
# told the one command to run instead.

set -u

build="build-essential pkg-config libjson-c-dev libsystemd-dev liburcu-dev
	libnuma-dev libmnl-dev libxdp-dev libbpf-dev libseccomp-dev libcap-dev
	clang bpftool"
guest="qemu-system-x86 busybox-static iperf3 ethtool cpio gzip xz-utils jq"
tests="libcriterion-dev clang libclang-rt-14-dev dpdk-dev iproute2 iputils-ping
	procps bash-completion mandoc debian-archive-keyring tcpdump tshark
	systemd libcap2-bin"

die() {
	printf 'install: %s\n' "$@" >&2
	exit 1
}

case ${1-} in
build) wanted=$build ;;
demo) wanted="$build $guest" ;;
check) wanted="$build $guest $tests" ;;
*) die "say which target to install for: build, demo or check" ;;
esac

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
	die "this is not a Debian system; needed are, by their Debian names:" \
		"$(echo $wanted)"

# Prints those of the packages "$@" that are not installed.
missing() {
	local p
	for p; do
		dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null |
			grep -qx installed || printf '%s ' "$p"
	done
}

# Debian names the sanitizer runtime after the version of its compiler.
clang_runtime() {
	apt-cache depends clang 2>/dev/null |
		sed -n 's/.*Depends: clang-\([0-9]*\)$/libclang-rt-\1-dev/p' |
		head -n 1
}

case " $wanted " in
*libclang-rt-14-dev*)
	runtime=$(clang_runtime)
	wanted=${wanted/libclang-rt-14-dev/${runtime:-libclang-rt-14-dev}}
	;;
esac

absent=$(missing $wanted)
[ -n "$absent" ] || exit 0

[ "$(id -u)" = 0 ] ||
	die "these packages are missing; install them as root with" \
		"apt-get install --no-install-recommends $absent"

echo "installing: $absent"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
apt() {
	apt-get -qq -o DPkg::Lock::Timeout=120 "$@" >>"$log" 2>&1 </dev/null
}
apt update ||
	echo "install: the package lists could not be refreshed; going on" >&2
apt install -y --no-install-recommends $absent || {
	tail -n 15 "$log" >&2
	die "apt-get could not install: $absent"
}
