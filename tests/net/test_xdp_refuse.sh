#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_xdp_refuse.sh - cards that cannot be had
#
# Each refusal is one sentence that names the thing, with the way out as its
# hint, and leaves everything as it was: no port, no program on the card, no
# promiscuity, no descriptor.
. "${0%/*}/lib.sh"
. "${0%/*}/netns.sh"
require jq ip ethtool ping setpriv prlimit cc clang
cc -O1 -o "$T/peer" "$ROOT/tests/net/xdp_peer.c" || die "no xdp_peer"

# What swd and the kernel hold in common: to be the same after a refusal.
held() {
	swctl -j port show | jq -c 'map(.name)'
	ls "/proc/$swd_pid/fd" | wc -l
	in_ns s ip -d -j link show | jq -c \
		'map([.ifname, .xdp.prog.id, .promiscuity, .mtu])'
}

# refused SENTENCE HINT WORDS...: `port add x type xdp WORDS` is refused.
refused() {
	local sentence=$1 hint=$2 before status
	shift 2
	before=$(held)
	swctl port add x type xdp "$@" >"$T/out" 2>&1
	status=$?
	cat "$T/out"
	[ $status = 1 ] && [ "$(wc -l <"$T/out")" = 2 ] &&
		grep -qE "^Error: .*$sentence" "$T/out" &&
		grep -qE "^Hint: .*$hint" "$T/out" &&
		diff <(echo "$before") <(held)
}

# Starts swd with the capabilities $1 (setpriv's words), $2 bytes of memory that
# it may lock, and options "$3"..
start_with() {
	local caps=$1 bytes=$2
	shift 2
	swd_in_ns s prlimit --memlock="$bytes:$bytes" \
		setpriv --bounding-set "$caps" --inh-caps "$caps"
	start_swd "$@"
}

lan_make 4 1500 a b
veth_make s solo a e1
in_ns s ip addr add 10.9.0.100/24 dev pb
swd_in_ns s
check "swd starts" start_swd
check "one card is attached" swctl port add pa type xdp

check "an interface that is not there" refused 'no interface nil' 'ip link' \
	dev nil
check "a name that is too long" refused \
	'averyveryverylongname.* cannot be the name' '1 to 15 characters' \
	dev averyveryverylongname
in_ns s ip link set pb down
check "a card that is down" refused 'pb is down' 'ip link set dev pb up' dev pb
in_ns s ip link set pb up
check "a card that is a port already" refused 'pa is port pa already' \
	"swctl port del pa" dev pa
check "a mode that is not to be had" refused \
	'pb does not hand over frames without a copy' 'mode' \
	dev pb mode zerocopy
check "a queue that is not there" refused 'pb has 4 queues, and no queue 4' \
	'ethtool -L pb' dev pb queues 0-5
check "some queues of a card that cannot be told" refused \
	'pb receives on 4 queues and cannot be told to use 2 of them' \
	'use all' dev pb queues 0-1
check "an MTU that is more than the card's" refused \
	'mtu 9000 is more than the 1500 of pb' 'ip link set dev pb mtu 9000' \
	dev pb mtu 9000

# --- what others have

enslave() {
	in_ns s ip link add br9 type bridge 2>/dev/null ||
		in_ns s ip link add br9 type bond
	in_ns s sh -c 'ip link set solo down && ip link set solo master br9 &&
		ip link set solo up'
}
if enslave >/dev/null 2>&1; then
	check "a card that belongs to a bridge" refused \
		'solo belongs to a bridge or bond already' \
		'ip link set dev solo nomaster' dev solo
	in_ns s ip link del br9
	in_ns s ip link set solo up
else
	echo "# this kernel has neither bridge nor bond"
fi

cat >"$T/foreign.c" <<'END'
__attribute__((section("xdp"), used)) int foreign(void *frame)
{
	return 2; /* XDP_PASS */
}
char terms[] __attribute__((section("license"), used)) = "GPL";
END
clang -O2 -target bpf -c -o "$T/foreign.o" "$T/foreign.c" || die "no bpf"
for how in xdpdrv xdpgeneric; do
	in_ns s ip link set dev pb $how object "$T/foreign.o" section xdp ||
		die "no foreign program"
	check "somebody's program ($how)" refused \
		'pb has an XDP program already, number [1-9][0-9]*' \
		'ip link set dev pb xdp off' dev pb
	in_ns s ip link set dev pb $how off
done

start_in s "$T/hold.log" "$T/peer" hold pb 2
eventually 2 grep -q held "$T/hold.log" || die "$(cat "$T/hold.log")"
check "a queue that another program has" refused \
	'queue 2 of pb is in use by another program' 'ss --xdp' dev pb
stop "$pid"

in_ns s ip route add default via 10.9.0.2 dev pb
check "the default route" refused 'the default route leads through pb' \
	'force' dev pb
check "the default route, with force" swctl port add pb type xdp force
check "force: it carries" reaches a 2
check "force: given back" swctl port del pb
in_ns s ip route del default

check "after all that, the host has its card" pings s 2
check "after all that, it can be attached" swctl port add pb type xdp
check "after all that, it carries" reaches a 2
check "swd ends with status 0" stop_swd

# --- what swd may not

MIB=1048576

check "swd starts without CAP_NET_RAW" start_with -net_raw $MIB
check "no CAP_NET_RAW" refused 'swd may not open AF_XDP sockets' \
	'CAP_NET_RAW' dev pb
check "no CAP_NET_RAW: swd ends" stop_swd

check "swd starts without CAP_BPF" start_with -bpf,-sys_admin $MIB
check "no CAP_BPF" refused 'XDP program cannot be loaded: swd may not' \
	'CAP_BPF' dev pb
check "no CAP_BPF: swd ends" stop_swd

check "swd starts without CAP_NET_ADMIN" start_with \
	-net_admin,-sys_admin $MIB
check "no CAP_NET_ADMIN" refused 'XDP program cannot be loaded: swd may not' \
	'CAP_NET_ADMIN' dev pb
check "no CAP_NET_ADMIN: swd ends" stop_swd

check "swd starts with the least it needs" start_with \
	-all,+net_admin,+net_raw,+bpf $((4 * MIB)) -m 2M
check "the least: a card" swctl port add pa type xdp
check "the least: another" swctl port add pb type xdp
check "the least: it carries" reaches a 2
check "the least: swd ends" stop_swd

check "swd starts with little lockable memory" start_with \
	-sys_resource,-ipc_lock $MIB
check "little lockable memory" refused \
	'65536 KiB of packet memory may not be locked: 1024 KiB is' \
	'LimitMEMLOCK=.*-m' dev pb
check "little lockable memory: swd ends" stop_swd
check "in the end the host has its card" pings s 2
verdict
