#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_qemu_pair.sh - two real guests at a time talk through the switch
#
# Three pairs, because a virtio driver is a different program with each set of
# features: an ordinary guest with one that has two queues, a guest without
# mergeable buffers with one that knows only the legacy device, and two with
# jumbo frames.  Each pair has ports of its own on the one bridge, so that the
# frames of the whole test are accounted for together at the end.

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
	guest -t 30 "$from" iperf3 -f m -t 1 -c "$to" "$@" | tee "$T/iperf.log"
	rate=$(sed -n 's/.* \([0-9]*\)[.0-9]* Mbits.*receiver.*/\1/p' \
		"$T/iperf.log")
	[ -n "$rate" ] && [ "$rate" -ge 10 ]
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

check "every frame is accounted for" conserved br0
check "the switch ends well" stop_swd
verdict
