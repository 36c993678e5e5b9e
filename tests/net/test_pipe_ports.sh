#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_pipe_ports.sh - pipes to and from every other kind of port
#
#	test_pipe_ports.sh [some]	some: without what is much like something else
#
# Applications are DPDK's testpmd, and swpipe-gen, which numbers its frames.  Cards
# are veths, with native XDP.  What a host or a guest leaves undone has to be
# done on the way into a pipe: memif has no room for saying what is left.

. "${0%/*}/lib.sh"
. "${0%/*}/testpmd.sh"
. "${0%/*}/memif.sh"
. "${0%/*}/netns.sh"
require jq dpdk-testpmd setpriv ping tcpdump cc
GEN=${GEN:-$BUILD/swpipe-gen}
DUMP=${DUMP:-$BUILD/swpipe-dump}
cc -O1 -o "$T/gso_send" "$ROOT/tests/net/gso_send.c" || die "no gso_send"

# A guest of DPDK's and an application of DPDK's.
guest_and_pipe() {
	local options=queue_size=$RING
	check "pipe and guest: ports wait" eval 'pipe_add p1 client &&
		swctl port add vm2 type vhost-user mtu 9000 && waiting'
	guests_run -m 256 --vdev "$(memif 0 client "")" --vdev \
		"net_virtio_user1,path=$T/vhost/vm2,mac=$guests_mac:02,$options" \
		-- --forward-mode=macswap --txpkts=1000
	check "pipe and guest: frames circulate" circulate $ENOUGH
	check "pipe and guest: addresses are on their ports" learned p1 vm2
	check "pipe and guest: both leave in peace" guests_stop
	check "pipe and guest: every frame is accounted for" conserved br0
	check "pipe and guest: ports are deleted" eval \
		'swctl port del p1 && swctl port del vm2'
}

# The host, whose tap leaves checksums undone, pings an application.
host_and_pipe() {
	check "pipe and host: ports are added" eval 'pipe_add p1 client &&
		swctl port add t2 type tap'
	in_ns s sh -c 'ip addr add 10.9.0.1/24 dev t2 && ip link set t2 up'
	guests_run -m 128 --vdev "$(memif 0 client "")" \
		-- --forward-mode=icmpecho
	check "pipe and host: the application answers" \
		eventually 10 in_ns s ping -q -c 3 -i 0.05 -W 1 10.9.0.2
	check "pipe and host: and to long ones" \
		in_ns s ping -q -c 3 -i 0.05 -W 1 -s 1400 10.9.0.2
	check "pipe and host: the application leaves in peace" guests_stop
	check "pipe and host: every frame is accounted for" conserved br0
	check "pipe and host: ports are deleted" eval \
		'swctl port del p1 && swctl port del t2'
}

# A host behind a card pings an application in role $1.
card_and_pipe() {
	local what="pipe and card, $1"
	check "$what: ports are added" eval \
		"swctl port add pa type xdp && pipe_add p1 $1"
	guests_run -m 128 --vdev "$(memif 0 "$1" "")" -- --forward-mode=icmpecho
	check "$what: the application answers" reaches a 9
	check "$what: and to long ones" pings a 9 -s 1400
	check "$what: the application leaves in peace" guests_stop
	check "$what: every frame is accounted for" conserved br0
	check "$what: the host found every checksum right" checksums_right a
	check "$what: ports are deleted" eval \
		'swctl port del p1 && swctl port del pa'
}

# An application whose two pipes have a wire between them: a, a card, its cable,
# the other card, b.  Every frame crosses both ways from pipe to card and from
# card to pipe.  $1 queues of pipes and cards, an MTU of $2 bytes, frames of $3..
across_a_wire() {
	local queues=$1 mtu=$2 what="across a wire, $1 queue(s), MTU $2" size
	shift 2
	check "$what: ports are added" add_wire "$queues" "$mtu"
	for size; do
		check "$what: all of $size bytes arrive" \
			all_arrive -q "$queues" -s "$size" -r $((4000 / queues))
	done
	check "$what: as many as possible" many_arrive -q "$queues"
	check "$what: every frame is accounted for at one end" conserved br0
	check "$what: and at the other" conserved br1
	check "$what: ports are deleted" eval 'swctl port del a &&
		swctl port del b && swctl port del ca && swctl port del cb &&
		swctl bridge del br1'
	in_ns s ip link del ca
}

add_wire() {
	veth_make s ca s cb "$1" && swctl bridge add br1 &&
		in_ns s ip link set ca mtu "$2" &&
		in_ns s ip link set cb mtu "$2" &&
		swctl port add a type pipe queues "$1" mtu "$2" &&
		swctl port add ca type xdp &&
		swctl port add b type pipe queues "$1" mtu "$2" bridge br1 &&
		swctl port add cb type xdp bridge br1
}

# Rings that hold what is sent while somebody else has the cpus.
gen() {
	timeout 30 "$GEN" -Q -w 5 -n 8192 "$@" "$T/pipe/a" "$T/pipe/b"
}

# Prints value $1 of the summary.
value() {
	sed -n "s/^summary.* $1=\([0-9.]*\).*/\1/p" "$T/summary"
}

all_arrive() {
	gen -t 1 "$@" >"$T/summary" || return
	cat "$T/summary"
	[ "$(value sent)" -gt 1000 ] &&
		[ "$(value sent)" = "$(value received)" ] &&
		[ "$(value lost) $(value late) $(value foreign)" = "0 0 0" ]
}

many_arrive() {
	gen -t 1 "$@" >"$T/summary" || return
	cat "$T/summary"
	[ "$(value received)" -gt 10000 ] && [ "$(value foreign)" = 0 ]
}

# --- what a host leaves undone

# A frame of kind $1 (tcp4, udp6 ..) that is to be cut and summed comes from the
# host, and its packets arrive at the application: $2 of them, 60000 bytes
# together, each within the MTU, every checksum right.
is_completed() {
	capture_starts || return
	in_ns s "$T/gso_send" t2 "$1" || return
	eventually 3 frames_came "$2"
	capture_ends
	[ "$(packets | wc -l)" = "$2" ] && [ "$(right | wc -l)" = "$2" ] &&
		[ "$(lengths)" = 60000 ] && [ "$(longest)" -le 1514 ]
}

capture_starts() {
	rm -f "$T/capture"
	before=$(swctl -j -s port show p1 | jq '.[0].tx_packets')
	start "$T/dump.log" "$DUMP" -w 5 -o "$T/capture" "$T/pipe/p1"
	dump=$pid
	eventually 5 state_is_up p1
}

frames_came() {
	swctl -j -s port show p1 |
		jq -e --argjson n $((before + $1)) '.[0].tx_packets >= $n'
}

capture_ends() {
	sleep 0.2
	stop "$dump" INT
	cat "$T/dump.log"
	tcpdump -nevvr "$T/capture" 2>/dev/null >"$T/shown"
	cat "$T/shown"
}

state_is_up() {
	swctl -j port show "$1" | jq -e '.[0].state == "up"'
}

# Of each packet, tcpdump's line that has its ports.
packets() {
	grep -E '[.]4242 > ' "$T/shown"
}
right() {
	packets | grep -E '\(correct\)|udp sum ok'
}
lengths() {
	packets | sed -n 's/.*length \([0-9]*\)$/\1/p' |
		awk '{ sum += $1 } END { print sum }'
}
longest() {
	sed -n 's/.*ethertype.*, length \([0-9]*\):.*/\1/p' "$T/shown" |
		sort -n | tail -n 1
}

# A datagram of the host's own, whose checksum the stack leaves undone.
datagram_is_summed() {
	capture_starts || return
	in_ns s bash -c 'printf %01000d 7 >/dev/udp/10.9.0.2/9' || return
	eventually 3 frames_came 1
	capture_ends
	grep -q 'udp sum ok' "$T/shown" && ! grep -q 'bad udp' "$T/shown"
}

undone_by_host() {
	check "undone by the host: ports are added" eval \
		'swctl port add p1 type pipe && swctl port add t2 type tap'
	in_ns s sh -c 'ip addr add 10.9.0.1/24 dev t2 && ip link set t2 up
		ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev t2'
	check "undone by the host: TCP" is_completed tcp4 42
	check "undone by the host: TCP over IPv6" is_completed tcp6 43
	check "undone by the host: datagrams" is_completed udp4 42
	all check "undone by the host: datagrams over IPv6" \
		is_completed udp6 43
	check "undone by the host: one checksum" datagram_is_summed
	check "undone by the host: every frame is accounted for" conserved br0
	check "undone by the host: ports are deleted" eval \
		'swctl port del p1 && swctl port del t2'
}

lan_make 1 1500 a
swd_in_ns s
check "swd starts" start_swd
guest_and_pipe
host_and_pipe
card_and_pipe client
all card_and_pipe server
across_a_wire 1 1500 64 1514
all across_a_wire 2 1500 60 65 1000 1514
all across_a_wire 1 9000 64 2048 2049 9014
undone_by_host
check "swd ends with status 0" stop_swd
verdict
