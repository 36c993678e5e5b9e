#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_takeover.sh - one switch takes another's place at the host's interfaces
#
#	test_takeover.sh [TAKEOVERS]
#
# Behind swd, in namespace s, are the stacks of a and b, by taps, and of c, by a
# card.  Two of them ping b every 10 ms and keep a TCP connection busy while swd
# is taken over several times (3).  The interfaces, and the program on the card,
# stay what they are, and nothing is lost; how long the slowest ping took is
# printed.

. "${0%/*}/lib.sh"
. "${0%/*}/netns.sh"
require jq ip iperf3 ping ethtool prlimit

times=${1:-3}

# A tap $1 of two queues, moved into namespace $2 as host $3.
tap_add() {
	swctl port add "$1" type tap queues 2 &&
		in_ns s ip link set "$1" netns "${ns_pid[$2]}" &&
		in_ns "$2" ip addr add "10.9.0.$3/24" dev "$1" &&
		in_ns "$2" ip link set "$1" up
}

# Host c as number 3, cabled to card pc of two queues.
card_add() {
	veth_make s pc c e0 2 && in_ns c ip addr add 10.9.0.3/24 dev e0 &&
		in_ns c ethtool -K e0 tx off txvlan off >/dev/null &&
		swctl port add pc type xdp
}

# What of the interfaces would be others if they had been made anew.
interfaces() {
	in_ns a ip -j link show ta | jq -c '.[0] | [.ifindex, .address]'
	in_ns b ip -j link show tb | jq -c '.[0] | [.ifindex, .address]'
	in_ns s ip -d -j link show pc | jq -c '.[0] | [.ifindex, .promiscuity,
		.xdp.mode, .xdp.prog.id]'
	swctl -j port show pc | jq -c '.[0] | [.mode, .state, .queues]'
}

declare -A ping_pid iperf_pid

start_traffic() {
	local host port=5201
	for host in a c; do
		start_in b "$T/server.log" iperf3 -s -p $port
		eventually 2 serves $port
		start_in $host "$T/ping.$host" ping -i 0.01 10.9.0.2
		ping_pid[$host]=$pid
		start_in $host "$T/iperf.$host" \
			iperf3 -c 10.9.0.2 -p $port -t 60 -b 50M
		iperf_pid[$host]=$pid
		port=$((port + 1))
	done
}

serves() {
	[ -n "$(in_ns b ss -Hltn sport = :"$1")" ]
}

take_over_often() {
	local i
	for ((i = 0; i < times; i++)); do
		take_over || return
		sleep 0.3
	done
}

# Others that want to take over fail on the way, for want of descriptors or of
# memory; status 124 would be that of one that did not.
fail_some() {
	local limit
	for limit in nofile=16 nofile=32 as=70000000; do
		"${swd_in[@]}" timeout 5 prlimit --$limit \
			"$SWD" --takeover -r "$T"
		[ $? != 124 ] && running "$swd_pid" || return
	done
	swd_answers
}

# Ends the pings of host $1, named $2.
pings_answered() {
	stop "${ping_pid[$1]}" INT
	no_ping_missing "$2" <"$T/ping.$1"
}

tcp_lives() {
	running "${iperf_pid[$1]}" || return
	stop "${iperf_pid[$1]}" INT
	tail -n 5 "$T/iperf.$1"
	grep -q sender "$T/iperf.$1"
}

same_interfaces() {
	interfaces | diff "$T/before" -
}

none_missed() {
	swctl -j -d port show pc | jq -c '.[0] | [.rx_missed, .resets]'
	swctl -j -d port show pc | jq -e '.[0].resets == null'
}

is_refused() {
	! "$SWD" --takeover -r "$T/elsewhere" 2>"$T/refused" &&
		grep -q 'no switch to take over from' "$T/refused" &&
		grep -q 'Hint: ' "$T/refused" &&
		! "$SWD" --takeover -c /dev/null 2>"$T/refused"
}

# The card is the host's again: no program, not promiscuous.
card_is_free() {
	in_ns s ip -d -j link show pc | jq -e '.[0] |
		.promiscuity == 0 and .xdp.mode == null'
}

ns_make s a b c
swd_in_ns s
check "swd starts" start_swd
check "a tap for a" tap_add ta a 1
check "a tap for b" tap_add tb b 2
check "a card for c" card_add
check "a null port" swctl port add n type null
interfaces >"$T/before"
check "a reaches b" reaches a 2
check "c reaches b" reaches c 2
start_traffic
sleep 0.5
check "others fail half way" fail_some
check "another switch takes over, $times times" take_over_often
show_pauses
check "tap: no ping is lost" pings_answered a tap
check "tap: the TCP connection lives" tcp_lives a
check "card: no ping is lost" pings_answered c card
check "card: the TCP connection lives" tcp_lives c
check "interfaces and program are the same" same_interfaces
check "the card's sockets are the same" none_missed
check "the null port is there again" swctl port show n
check "a and c reach b" eval 'reaches a 2 && reaches c 2'
check "where nobody is there is nothing to take over" is_refused
check "swd ends with status 0" stop_swd
check "and the card is the host's again" card_is_free
verdict
