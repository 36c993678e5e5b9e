#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_takeover.sh - one switch takes another's place at the host's interfaces
#
#	test_takeover.sh [TAKEOVERS]
#
# Two taps, in namespaces a and b, whose stacks ping each other every 10 ms and
# keep a TCP connection busy while swd, in namespace s, is taken over several
# times (3).  The interfaces stay what they are, and nothing is lost; how long
# the slowest ping took is printed.

. "${0%/*}/lib.sh"
. "${0%/*}/netns.sh"
require jq ip iperf3 ping

times=${1:-3}

# A tap $1 of two queues, moved into namespace $2 as host $3.
tap_add() {
	swctl port add "$1" type tap queues 2 &&
		in_ns s ip link set "$1" netns "${ns_pid[$2]}" &&
		in_ns "$2" ip addr add "10.9.1.$3/24" dev "$1" &&
		in_ns "$2" ip link set "$1" up
}

# What of the interfaces would be others if they had been made anew.
interfaces() {
	in_ns a ip -o link show ta | sed 's/:.*link\/ether/ /' &&
		in_ns b ip -o link show tb | sed 's/:.*link\/ether/ /'
}

reaches() {
	in_ns a ping -q -c 1 -W 1 10.9.1.2
}

start_traffic() {
	start_in a "$T/ping.log" ping -q -i 0.01 10.9.1.2
	ping_pid=$pid
	start_in a "$T/iperf.log" iperf3 -c 10.9.1.2 -t 60 -b 50M
	iperf_pid=$pid
}

take_over_often() {
	local i
	for ((i = 0; i < times; i++)); do
		take_over || return
		sleep 0.3
	done
}

pings_answered() {
	local sent got
	stop $ping_pid INT
	cat "$T/ping.log"
	read -r sent got < <(sed -n \
		's/^\([0-9]*\) packets transmitted, \([0-9]*\) .*/\1 \2/p' \
		"$T/ping.log")
	sed -n "s/^rtt/# $times takeovers, &/p" "$T/ping.log" >&$own_stderr
	[ "${got:-0}" -gt 0 ] && [ $((sent - got)) -le 1 ]
}

tcp_lives() {
	running $iperf_pid || return
	stop $iperf_pid INT
	tail -n 5 "$T/iperf.log"
	grep -q sender "$T/iperf.log"
}

same_interfaces() {
	interfaces | diff "$T/before" -
}

is_refused() {
	! "$SWD" --takeover -r "$T/elsewhere" 2>"$T/refused" &&
		grep -q 'no switch to take over from' "$T/refused" &&
		grep -q 'Hint: ' "$T/refused" &&
		! "$SWD" --takeover -c /dev/null 2>"$T/refused"
}

ns_make s a b
swd_in_ns s
check "swd starts" start_swd
check "a tap for a" tap_add ta a 1
check "a tap for b" tap_add tb b 2
check "a null port" swctl port add n type null
interfaces >"$T/before"
check "a reaches b" eventually 3 reaches
start_in b "$T/server.log" iperf3 -s
sleep 0.3
start_traffic
sleep 0.5
check "another switch takes over, $times times" take_over_often
check "no ping is lost" pings_answered
check "the TCP connection lives" tcp_lives
check "the interfaces are the same" same_interfaces
check "the null port is there again" swctl port show n
check "a reaches b" reaches
check "where nobody is there is nothing to take over" is_refused
check "swd ends with status 0" stop_swd
verdict
