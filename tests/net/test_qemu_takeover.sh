#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_qemu_takeover.sh - one switch takes another's place under QEMU's guests
#
#	test_qemu_takeover.sh [TAKEOVERS]
#
# Two guests, one with split rings and one with packed ones, ping each other
# every 10 ms and keep a TCP connection busy while swd is taken over several
# times (5).  Nothing may be lost, and QEMU may not connect anew; how long the
# slowest ping took is printed.

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

# Ends the pings; none of them is lost.
pings_answered() {
	local sent got
	guest vm1 'kill -INT $(pidof ping); sleep 0.3; tail -n 2 /tmp/ping.log' |
		tee "$T/traffic.log"
	read -r sent got < <(sed -n \
		's/^\([0-9]*\) packets transmitted, \([0-9]*\) .*/\1 \2/p' \
		"$T/traffic.log")
	sed -n "s/^\(round-trip\|rtt\)/# $times takeovers, &/p" \
		"$T/traffic.log" >&$own_stderr
	[ "${got:-0}" -gt 0 ] && [ $((sent - got)) -le 1 ]
}

tcp_lives() {
	guest vm1 'pidof iperf3 && kill -INT $(pidof iperf3)
		sleep 0.3; tail -n 4 /tmp/iperf.log' | tee "$T/iperf.log"
	grep -q sender "$T/iperf.log"
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
check "no ping is lost" pings_answered
check "the TCP connection lives" tcp_lives
check "neither guest has connected anew" connected_once
check "every frame is accounted for" conserved br0
check "no errors in vm1" guest_no_errors vm1
check "no errors in vm2" guest_no_errors vm2
check "swd ends with status 0" stop_swd
verdict
