#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_qemu_takeover.sh - one switch takes another's place under QEMU's guests
#
#	test_qemu_takeover.sh [TAKEOVERS]
#
# Two guests, one with split rings and one with packed ones, ping each other
# every 10 ms and keep a TCP connection busy while swd is taken over several
# times (5).  Nothing may be lost, and QEMU may not connect anew: what the
# guests' drivers have counted is what the switch has counted.  How long the
# slowest ping took is printed; an emulated guest on a busy machine may lose
# some by itself.

. "${0%/*}/lib.sh"
. "${0%/*}/qemu.sh"
require jq

times=${1:-5}

add_ports() {
	swctl port add vm1 type vhost-user && swctl port add vm2 type vhost-user
}

both_ready() {
	guest_wait vm1 && guest_wait vm2
}

reaches() {
	guest vm1 ping -c 1 -W 1 10.0.0.2
}

take_over_often() {
	local i
	for ((i = 0; i < times; i++)); do
		take_over || return
		sleep 0.3
	done
}

# Starts in vm1 what is to notice nothing.
start_traffic() {
	guest vm1 'ping -i 0.01 10.0.0.2 >/tmp/ping.log 2>&1 &
		iperf3 -c 10.0.0.2 -t 60 -b 20M >/tmp/iperf.log 2>&1 &'
}

# Ends the pings, of which some are answered.
show_pings() {
	guest vm1 'kill -INT $(pidof ping); sleep 0.3
		sed -n "s/.*\(seq=[0-9]* \).*\(time=[0-9.]*\).*/\1\2/p" \
			/tmp/ping.log' >"$T/pings"
	no_ping_missing guests <"$T/pings"
	[ -s "$T/pings" ]
}

none_dropped() {
	swctl -j -s port show | jq -c 'map([.name, .drops])'
	swctl -j -s port show | jq -e 'all(.[]; .drops == {})'
}

tcp_lives() {
	guest vm1 'pidof iperf3 && kill -INT $(pidof iperf3)
		sleep 0.3; tail -n 4 /tmp/iperf.log' | tee "$T/iperf.log"
	grep -q sender "$T/iperf.log"
}

# What guest $1 has sent and received, it and the switch count alike.
same_counts() {
	local here there
	here=$(swctl -j -s port show "$1" |
		jq -r '.[0] | "\(.rx_packets) \(.tx_packets)"')
	there=$(guest "$1" 'cd /sys/class/net/eth0/statistics
		echo $(cat tx_packets rx_packets)' | tail -n 1)
	echo "$1: switch $here, guest $there"
	[ "$here" = "$there" ]
}

all_same_counts() {
	same_counts vm1 && same_counts vm2
}

connected_once() {
	swctl -j -d port show | jq -c 'map([.name, .connects, .state])'
	swctl -j -d port show |
		jq -e 'all(.[]; .connects == 1 and .state == "up")'
}

guest_prepare
check "the switch starts" start_swd
check "two ports are added" add_ports
guest_start vm1 "$T/vhost/vm1" addr=10.0.0.1/24
guest_start vm2 "$T/vhost/vm2" addr=10.0.0.2/24 dev=packed=on
check "two guests boot" both_ready
check "they reach each other" reaches
guest vm2 'iperf3 -s -D >/dev/null'
check "traffic starts" start_traffic
sleep 1
check "another switch takes over, $times times" take_over_often
show_pauses
check "pings are answered" show_pings
check "the switch drops no frame" none_dropped
check "the TCP connection lives" tcp_lives
check "guests and switch count the same frames" eventually 3 all_same_counts
check "neither guest has connected anew" connected_once
check "every frame is accounted for" conserved br0
check "no errors in vm1" guest_no_errors vm1
check "no errors in vm2" guest_no_errors vm2
check "swd ends with status 0" stop_swd
verdict
