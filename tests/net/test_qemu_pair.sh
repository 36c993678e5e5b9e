#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_qemu_pair.sh - two real guests at a time talk through the switch
#
# Some pairs, because a virtio driver is a different program with each set of
# features: an ordinary guest with one that has two queues, a guest without
# mergeable buffers with one that knows only the legacy device, two with jumbo
# frames, and two whose rings are packed, with a third whose rings are split.
# All of them hand each other large unsummed frames (of others there is
# test_offloads.sh).  Everyone has a port of its own on the one bridge, so that
# the frames of the whole test are accounted for together at the end.

. "${0%/*}/lib.sh"
. "${0%/*}/qemu.sh"
require jq

# Adds ports $1 and $2 with port options "$3"...
add_ports() {
	local a=$1 b=$2
	shift 2
	swctl port add "$a" type vhost-user "$@" &&
		swctl port add "$b" type vhost-user "$@"
}

both_ready() {
	guest_wait "$1" && guest_wait "$2"
}

# Whether ping from $1 to address $2 with options "$3".. loses nothing.  The
# first ping asks for the address, which is not what is tested.
pings() {
	local from=$1 to=$2
	shift 2
	guest "$from" ping -c 1 -w 5 "$to" >/dev/null
	guest "$from" ping -q -i 0.1 -c 10 "$@" "$to" | tee "$T/ping.log"
	grep -q ', 0% packet loss' "$T/ping.log"
}

# Whether TCP from $1 to address $2, with iperf3's options "$3".., moves at
# least ten megabits in each second; the emulated guests are the limit.
streams() {
	local from=$1 to=$2 rate
	shift 2
	[ "$1" = -n ] || set -- -t 1 "$@"
	guest -t 30 "$from" iperf3 -f m -c "$to" "$@" | tee "$T/iperf.log"
	rate=$(sed -n 's/.* \([0-9]*\)[.0-9]* Mbits.*receiver.*/\1/p' \
		"$T/iperf.log")
	[ -n "$rate" ] && [ "$rate" -ge 10 ]
}

# Prints counter $2 of port $1.
counter() {
	swctl -j -s port show "$1" | jq ".[0].$2"
}

# Whether ports "$@" sent frames as they came, undone, and on average larger
# than any packet.
untouched() {
	local port bytes packets
	for port; do
		bytes=$(counter "$port" tx_bytes)
		packets=$(counter "$port" tx_packets)
		echo "$port: $packets frames, $((bytes / packets)) bytes each"
		[ "$(counter "$port" tx_segments)" = 0 ] &&
			[ "$(counter "$port" passed_through)" -gt 0 ] &&
			[ $((bytes / packets)) -gt \
				$((14 + $(counter "$port" mtu))) ] || return 1
	done
}

# Everything two guests $1 (10.0.0.$2) and $3 (10.0.0.$4) of kind $5 must do,
# with a payload of $6 bytes in the largest ping.
pair() {
	local a=$1 a_ip=10.0.0.$2 b=$3 b_ip=10.0.0.$4 kind=$5 payload=$6
	check "$kind: both boot" both_ready "$a" "$b"
	check "$kind: ping" pings "$a" "$b_ip"
	check "$kind: ping of $payload bytes" pings "$b" "$a_ip" -s "$payload"
	guest "$b" 'iperf3 -s -D >/dev/null; sleep 0.3'
	check "$kind: TCP there" streams "$a" "$b_ip"
	check "$kind: TCP back" streams "$a" "$b_ip" -R
	check "$kind: large frames pass untouched" untouched "$a" "$b"
	check "$kind: no errors in $a" guest_no_errors "$a"
	check "$kind: no errors in $b" guest_no_errors "$b"
}

# Whether guest $1 sends several streams to address $2 from both its queues.
sends_from_both_queues() {
	guest -t 30 "$1" "iperf3 -t 1 -P 8 -c $2 | tail -n 3
		ethtool -S eth0 | grep tx_queue_._packets" | tee "$T/queues.log"
	[ "$(grep -c 'tx_queue_._packets: [1-9]' "$T/queues.log")" = 2 ]
}

guest_prepare
check "the switch starts" start_swd
check "ports for two queues" add_ports vm1 vm2 queues 2
guest_start vm1 "$T/vhost/vm1" addr=10.0.0.1/24
guest_start vm2 "$T/vhost/vm2" addr=10.0.0.2/24 queues=2
pair vm1 1 vm2 2 "two queues" 1472
guest vm1 'iperf3 -s -D >/dev/null; sleep 0.3'
check "two queues: both send" sends_from_both_queues vm2 10.0.0.1
check "two queues: every frame is accounted for" conserved br0
guest_stop vm1
guest_stop vm2

check "ports for old drivers" add_ports vm3 vm4
guest_start vm3 "$T/vhost/vm3" addr=10.0.0.3/24 dev=mrg_rxbuf=off
guest_start vm4 "$T/vhost/vm4" addr=10.0.0.4/24 \
	dev=disable-modern=on,event_idx=off,indirect_desc=off
pair vm3 3 vm4 4 "unmergeable and legacy" 1472
guest_stop vm3
guest_stop vm4

check "ports for jumbo frames" add_ports vm5 vm6 mtu 9000
guest_start vm5 "$T/vhost/vm5" addr=10.0.0.5/24 dev=host_mtu=9000
guest_start vm6 "$T/vhost/vm6" addr=10.0.0.6/24 dev=host_mtu=9000
pair vm5 5 vm6 6 "jumbo" 8972
guest_stop vm5
guest_stop vm6

# Whether the rings of port $1 have format $2.
ring_is() {
	local format
	format=$(swctl -j port show "$1" | jq -r '.[0].ring')
	echo "$1: $format"
	[ "$format" = "$2" ]
}

# Whether both guests answer TCP at 10.0.0.N of the other, of port vmN.
streams_both_ways() {
	pings "$1" "10.0.0.${2#vm}" && streams "$1" "10.0.0.${2#vm}" -n 8M &&
		streams "$1" "10.0.0.${2#vm}" -n 8M -R
}

check "ports for packed rings" add_ports vm10 vm11
check "a port for a split ring" swctl port add vm12 type vhost-user
guest_start vm10 "$T/vhost/vm10" addr=10.0.0.10/24 dev=packed=on
guest_start vm11 "$T/vhost/vm11" addr=10.0.0.11/24 \
	dev=packed=on,event_idx=off,mrg_rxbuf=off
guest_start vm12 "$T/vhost/vm12" addr=10.0.0.12/24
pair vm10 10 vm11 11 packed 1472
check "packed: the first guest's rings" ring_is vm10 packed
check "packed: the second guest's rings" ring_is vm11 packed
check "packed and split: the third guest boots" guest_wait vm12
check "packed and split: its rings" ring_is vm12 split
guest vm12 'iperf3 -s -D >/dev/null; sleep 0.3'
check "packed and split: ping and TCP" streams_both_ways vm10 vm12
check "packed and split: the same without an event index" \
	streams_both_ways vm11 vm12
check "packed and split: large frames pass untouched" untouched vm12
for name in vm10 vm11 vm12; do
	check "packed and split: no errors in $name" guest_no_errors $name
	guest_stop $name
done

check "every frame is accounted for" conserved br0
check "the switch ends well" stop_swd
verdict
