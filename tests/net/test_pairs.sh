#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_pairs.sh - every kind of port with every other, real stacks on both sides
#
# One bridge of two guests on vhost-user (g1, g2), two namespaces behind cards
# on xdp (x3, x4) and two on taps (t5, t6); the number is that of the host's
# address, 10.9.0.N.  Checksums are judged by the stacks: what is wrong, they
# count.

. "${0%/*}/lib.sh"
. "${0%/*}/netns.sh"
. "${0%/*}/qemu.sh"
require jq ip ethtool iperf3 ping nstat tc clang setpriv unshare
hosts=(g1 g2 x3 x4 t5 t6)

is_guest() {
	[[ $1 = g* ]]
}

# Runs "$2".. in host $1.
on() {
	local host=$1
	shift
	if is_guest "$host"; then
		guest -t 30 "$host" "$*"
	else
		in_ns "$host" timeout 30 "$@"
	fi
}

# Whether three pings from host $1 to host $2, with options "$3".., come back.
# The first of all asks for the address, which is not what is tested.  A late
# answer (the machine is busy) makes it ping once more: answered() counts.
pings_to() {
	local from=$1 to=10.9.0.${2:1}
	shift 2
	on "$from" ping -q -c 1 -W 2 "$to"
	on "$from" ping -q -c 3 -i 0.1 -w 5 "$@" "$to" | tee "$T/ping.log"
	grep -qE ', [3-9] (packets )?received' "$T/ping.log"
}

# Whether each ping that a namespace has sent was answered to it.
answered() {
	local host
	for host in x3 x4 t5 t6; do
		eventually 2 all_answered $host || return
	done
}
all_answered() {
	in_ns "$1" nstat -asz --json |
		jq -e '.kernel | .IcmpOutEchos == .IcmpInEchoReps'
}

# A guest is emulated: less will do.
amount() {
	if is_guest "$1" || is_guest "$2"; then echo 4M; else echo 30M; fi
}

# Whether iperf3 from host $1 to host $2, with options "$4".., ends with results
# of which jq's $3 holds.
iperf_to() {
	local from=$1 to=10.9.0.${2:1} holds=$3
	shift 3
	on "$from" iperf3 -J -c "$to" "$@" >"$T/iperf.json"
	jq -r '.error // .end.sum_received.bytes // (.end.sum |
		"\(.lost_packets) of \(.packets) lost")' "$T/iperf.json"
	jq -e "$holds" "$T/iperf.json" >/dev/null
}

tcp_to() {
	local from=$1 to=$2
	shift 2
	iperf_to "$from" "$to" '.end.sum_received.bytes > 500000' \
		-n "$(amount "$from" "$to")" "$@"
}

# Datagrams get lost on a busy machine: not at every attempt.
udp_to() {
	local i
	for i in 1 2 3; do
		iperf_to "$1" "$2" '.end.sum |
			.packets > 100 and .lost_percent < 5' \
			-u -l 1400 -b 10M -n 500K && return
	done
	return 1
}

both_carry() {
	local a=$1 b=$2 what=$3
	check "$what: ping" pings_to "$a" "$b"
	check "$what: pings in fragments" pings_to "$b" "$a" -s 8000
	check "$what: TCP there" tcp_to "$a" "$b"
	check "$what: TCP back" tcp_to "$a" "$b" -R
	check "$what: UDP" udp_to "$a" "$b"
}

# Whether no stack found anything wrong in what it got.
all_right() {
	local host
	for host in "${hosts[@]}"; do
		if is_guest "$host"; then
			guest_no_errors "$host"
		else
			checksums_right "$host" && no_errors "$host"
		fi || return
	done
}

# Whether stack $1 took all headers for sound.  What it counts for a SYN that
# came twice, and for a datagram without room, is no fault of ours.
no_errors() {
	in_ns "$1" nstat -asz --json | tee "$T/nstat" | jq -e '.kernel |
		[.IpInHdrErrors, .IpExtInTruncatedPkts, .IcmpInErrors,
		 .IpReasmFails, .UdpInErrors - .UdpRcvbufErrors,
		 .TcpInErrs - .TcpExtTCPSYNChallenge] |
		all(. == 0)' && return
	jq -c '.kernel | with_entries(select(.value != 0 and
		(.key | test("Err|Fail|Trunc|Challenge"))))' \
		"$T/nstat"
	return 1
}

# --- the bridge

# A card's far end keeps its offloads: what it leaves undone, the switch does.
host_on_card() {
	ns_make "$1"
	veth_make s "p$1" "$1" e0 &&
		in_ns "$1" ip addr add "10.9.0.${1:1}/24" dev e0 &&
		swctl port add "$1" type xdp dev "p$1" "${@:2}"
}

host_on_tap() {
	ns_make "$1"
	swctl port add "$1" type tap "${@:2}" &&
		in_ns s ip link set "$1" netns "${ns_pid[$1]}" &&
		in_ns "$1" ip link set "$1" name e0 &&
		in_ns "$1" ip addr add "10.9.0.${1:1}/24" dev e0 &&
		in_ns "$1" ip link set e0 up
}

host_on_guest() {
	swctl port add "$1" type vhost-user "${@:2}" &&
		guest_start "$1" "$T/vhost/$1" addr="10.9.0.${1:1}/24"
}

# A guest that cannot keep up has to have room for all of a UDP test: it would
# count an error for each datagram that it has no room for.
serve() {
	if is_guest "$1"; then
		guest_wait "$1" && guest "$1" 'iperf3 -s -D >/dev/null
			echo 8000000 >/proc/sys/net/core/rmem_max
			echo 8000000 >/proc/sys/net/core/rmem_default'
	else
		iperf_serve "$1"
	fi
}

guest_prepare
ns_make s
swd_in_ns s
check "the switch starts" start_swd
host_on_guest g1 || die "no guest"
host_on_guest g2 || die "no guest"
check "a card becomes a port" host_on_card x3
check "and another" host_on_card x4
check "a tap becomes a port" host_on_tap t5
check "and another" host_on_tap t6
for host in "${hosts[@]}"; do
	check "$host listens" serve $host
done

# --- pairs

both_carry t5 t6 "tap to tap"
both_carry x3 x4 "card to card"
both_carry x3 t5 "card to tap"
both_carry g1 t5 "guest to tap"
both_carry g1 x3 "guest to card"
both_carry g1 g2 "guest to guest"

# The far ends of cables leave their checksums undone or do them: both have to
# come out right.
sets_tx() {
	in_ns x3 ethtool -K e0 tx "$1" && in_ns x4 ethtool -K e0 tx "$1"
}
check "cards get finished checksums" sets_tx off
both_carry x4 x3 "finished, card to card"
both_carry x4 t6 "finished, card to tap"
both_carry x4 g2 "finished, card to guest"
check "and undone ones again" sets_tx on
check "every ping was answered" answered
check "no stack found an error" all_right
check "every frame is accounted for" conserved br0

# --- VLANs

# Makes the stack of host $1 send and take frames of VLAN 10 with their tags.
tag() {
	in_ns "$1" tc qdisc add dev e0 clsact &&
		in_ns "$1" tc filter add dev e0 egress bpf da \
			obj "$T/vlan_tag.o" sec tc/egress &&
		in_ns "$1" tc filter add dev e0 ingress bpf da \
			obj "$T/vlan_tag.o" sec tc/ingress
}

# Whether counter $2 of port $1 is larger by 100 than when it was noted.
note() {
	swctl -j -s port show >"$T/noted"
}
grew() {
	local of='.[] | select(.name == $port)[$key]' was is
	was=$(jq --arg port "$1" --arg key "$2" "$of" "$T/noted")
	is=$(swctl -j -s port show | jq --arg port "$1" --arg key "$2" "$of")
	echo "$1: $2 was $was and is $is"
	[ "$is" -ge $((was + 100)) ]
}

# t6 and x4 are on trunks, the others in a VLAN each.
vlans() {
	swctl bridge set br0 vlan-aware on &&
		swctl port set t6 trunk 10 && tag t6 &&
		swctl port set x4 trunk 10 native 20 && tag x4 &&
		swctl port set x3 vlan 10 && swctl port set t5 vlan 10 &&
		swctl port set g1 vlan 10 && swctl port set g2 vlan 20
}

never_reaches() {
	! on "$1" ping -c 2 -i 0.1 -W 1 "10.9.0.${2:1}" >/dev/null
}

# A tag that the far end of a cable leaves to its own card (txvlan) goes by the
# side of the frame, where no XDP program sees it: the frame comes in as
# untagged.  Hence `ethtool -K PEER txvlan off` for a trunk on a cable.
in_vlan() { # PORT VID
	swctl -j fdb show | jq -e --arg port "$1" --argjson vid "$2" \
		'map(select(.port == $port and .vlan == $vid)) | length == 1'
}
tag_is_lost() {
	! on x4 ping -c 1 -W 1 10.9.0.3 && in_vlan x4 20
}

clang -target bpf -O2 -I"/usr/include/$(uname -m)-linux-gnu" \
	-c -o "$T/vlan_tag.o" "$ROOT/tests/net/vlan_tag.bpf.c" ||
	die "no vlan_tag.o"
check "VLANs: trunks on a tap and a card" vlans
check "VLANs: a cable hides tags" tag_is_lost
check "VLANs: unless it is told not to" in_ns x4 ethtool -K e0 txvlan off
note
both_carry t6 x3 "tagged tap to card"
both_carry t6 t5 "tagged tap to tap"
both_carry t6 g1 "tagged tap to guest"
both_carry x4 t5 "tagged card to tap"
both_carry x4 g1 "tagged card to guest"
both_carry x4 t6 "tagged card to tagged tap"
check "VLANs: tagged frames were large, too" grew x3 tx_segments
check "VLANs: and merged" grew t6 tx_merged
check "VLANs: another VLAN is far away" never_reaches t6 g2
check "VLANs: from both sides" never_reaches g2 t5
check "no stack found an error" all_right
check "every frame is accounted for" conserved br0

verdict
