#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_xdp.sh - frames between network cards, from and to real stacks
#
# The cards are veths, whose driver runs XDP programs and hands frames over
# with a copy.  Hosts a, b, c are namespaces at their other ends.
. "${0%/*}/lib.sh"
. "${0%/*}/netns.sh"
require jq ip ethtool ping iperf3 nstat cc
cc -O1 -o "$T/peer" "$ROOT/tests/net/xdp_peer.c" || die "no xdp_peer"

# Prints the cpus that this test may use, at most $1, as a list.
cpu_list() {
	local range cpus=()
	for range in $(sed -n 's/,/ /g; s/^Cpus_allowed_list:[[:space:]]*//p' \
		/proc/self/status); do
		cpus+=($(seq "${range%-*}" "${range#*-}"))
	done
	cpus=("${cpus[@]:0:$1}")
	local IFS=,
	echo "${cpus[*]}"
}

# Whether jq's $2 holds of port $1, with its counters.
port_is() {
	swctl -j -s port show "$1" | jq -e ".[0] | $2" || {
		swctl -s -p -j port show "$1"
		return 1
	}
}

# Starts swd with options "$2".. and adds ports pa and pb with the words $1.
start_ports() {
	local words=$1 p
	shift
	start_swd "$@" || return 1
	for p in pa pb; do
		swctl port add $p type xdp $words || return 1
	done
}

no_copies() {
	swctl -j -s port show |
		jq -e 'all(.tx_packets > 0 and .tx_copied == 0)'
}

# Traffic of all kinds between a and b, under the name $1, with options "$2"..
# of iperf3.
carry() {
	local what=$1
	shift
	check "$what: ping" pings a 2
	check "$what: TCP" tcp a 2 "$@"
	check "$what: TCP the other way" tcp a 2 -R "$@"
	check "$what: UDP" udp a 2
	check "$what: every checksum is right" checksums_right a b
	check "$what: no copies between the cards" no_copies
	check "$what: every frame is accounted for" conserved br0
}

# --- one queue, and the modes

lan_make 1 1500 a b
swd_in_ns s
iperf_serve b

# Frames of $2 bytes from host $1, $3 of them, to nobody in particular.
frames() {
	in_ns "$1" "$T/peer" send e0 ff:ff:ff:ff:ff:ff "$2" "$3"
}

# Whether port pa has taken and pb has sent $1 frames more than when $rx and
# $tx were noted.
note() {
	rx=$(swctl -j -s port show pa | jq '.[0].rx_packets')
	tx=$(swctl -j -s port show pb | jq '.[0].tx_packets')
}
moved_on() {
	port_is pa ".rx_packets >= $rx + $1" &&
		port_is pb ".tx_packets >= $tx + $1"
}
short_frames() {
	note
	frames a 14 7 && eventually 2 moved_on 7
}

# The kernel lets frames pass that are a tag longer than the MTU; without one
# they are too long.
long_frames() {
	local before
	before=$(swctl -j -s port show pb |
		jq '.[0].drops.mtu_exceeded // 0')
	in_ns a ip link set e0 mtu 1504 && frames a 1518 5 &&
		in_ns a ip link set e0 mtu 1500 &&
		eventually 2 port_is pb ".drops.mtu_exceeded == $before + 5"
}

# Whether swd, left alone, uses less than one of a hundred cycles.
idle() {
	local before after
	before=$(awk '{print $14 + $15}' "/proc/$swd_pid/stat")
	sleep 2
	after=$(awk '{print $14 + $15}' "/proc/$swd_pid/stat")
	echo "$((after - before)) ticks in 2 s"
	[ $((after - before)) -le $(($(getconf CLK_TCK) * 2 / 100)) ]
}

# Whether feature $2 of card $1 is $3.
feature() {
	[ "$(in_ns s ethtool -k "$1" | sed -n "s/^$2: //p")" = "$3" ]
}

check "swd starts, cards become ports" start_ports ""
check "auto got native" port_is pa '.mode == "native" and
	.mode_asked == "auto" and .state == "up" and .queues == 1'
check "cards leave VLAN tags in frames" feature pa rx-vlan-offload off
carry "one queue"
check "frames that are all header pass" short_frames
check "frames that are longer than the MTU are counted" long_frames
check "idle cards cost nothing" idle
check "swd ends with status 0" stop_swd
check "VLAN tags are the card's again" feature pa rx-vlan-offload on

check "swd starts again, mode generic" start_ports "mode generic"
check "generic is shown" port_is pb '.mode == "generic" and
	.mode_asked == "generic"'
carry "generic"
check "generic: swd ends" stop_swd

# What the card's knobs $@ are, for comparison.
knobs() {
	in_ns s cat /sys/class/net/pa/napi_defer_hard_irqs \
		/sys/class/net/pa/gro_flush_timeout | xargs
}
knobs_are() {
	echo "napi_defer_hard_irqs, gro_flush_timeout: $(knobs)"
	[ "$(knobs)" = "$1" ]
}
in_ns s sh -c 'echo 1 >/sys/class/net/pa/napi_defer_hard_irqs
	echo 12345 >/sys/class/net/pa/gro_flush_timeout'
check "swd starts again, mode native, polling busily" \
	start_ports "mode native busy-poll 20"
check "native is shown" port_is pb '.mode == "native" and
	.mode_asked == "native" and .busy_poll == 20'
check "interrupts are deferred" knobs_are "2 200000"
carry "busy-poll"
check "busy-poll: swd ends" stop_swd
check "interrupts are as they were" knobs_are "1 12345"

# --- little packet memory

# Adds and deletes a port until the slots that rest after it are all there are.
exhaust() {
	local i
	for ((i = 0; i < 12; i++)); do
		swctl port del pb && swctl port add pb type xdp || return 1
	done
}
check "swd starts with 2 MiB" start_ports "" -m 2M
carry "2 MiB"
check "packet memory is used up by deleted ports" exhaust
check "frames flow again" reaches a 2
check "TCP flows again" tcp a 2
sleep 1
check "nobody spins for memory" idle
check "2 MiB: swd ends" stop_swd

# --- configuration

config_has() {
	swctl config show >"$T/conf" && cat "$T/conf" && grep -qxF "$1" "$T/conf"
}
applied() {
	swctl port del pa && swctl port del pb && swctl config apply "$T/conf" &&
		swctl config show | diff "$T/conf" -
}
check "swd starts, for its configuration" start_ports \
	"queues 0 mode native busy-poll 20 force"
check "config show prints the port" config_has \
	"port add pa type xdp queues 0 mode native busy-poll 20 force"
check "config apply brings it back" applied
check "it carries" reaches a 2
check "configuration: swd ends" stop_swd

# --- jumbo

# Pings of which none may be cut up.
jumbo() {
	pings a 2 -M do -s 8972
}
refused_big() {
	note_big=$(swctl -j -s port show pb |
		jq '.[0].drops.mtu_exceeded // 0')
	! pings a 2 -M do -s 8000 &&
		port_is pb ".drops.mtu_exceeded >= $note_big + 3"
}
mtus() {
	mtu_set a "$1" && mtu_set b "$1"
}
is_multi() {
	eventually 2 port_is pa ".multi_buffer == $1 and .state == \"up\"" &&
		eventually 2 port_is pb \
			".multi_buffer == $1 and .state == \"up\""
}

mtus 9000
check "swd starts, cards have MTU 9000" start_ports ""
check "MTU 9000: several buffers a frame" is_multi true
check "MTU 9000: whole frames pass" jumbo
carry "MTU 9000"
check "MTU 9000: no frame is cut in two" port_is pa '.drops == {}'
check "MTU 9000 to 1500 while attached" mtus 1500
check "one buffer a frame" is_multi false
check "1500 carries" reaches a 2
check "1500 carries TCP" tcp a 2
check "MTU 1500 to 9000 while attached" mtus 9000
check "several buffers again" is_multi true
check "whole frames pass again" eventually 5 jumbo
check "9000 carries TCP" tcp a 2
check "another MTU on one side" mtu_set b 1500
check "what is too long for it is counted" refused_big
check "what is not passes" reaches a 2
check "MTU of 64 KB on both sides" mtus 65535
check "frames of as many buffers as the kernel sends pass" \
	eventually 5 pings a 2 -M do -s 60000
check "frames that came in more than that do, too" \
	pings a 2 -M do -s 65507
check "the next frames are not lost with them" pings a 2
check "every frame is accounted for" conserved br0
check "jumbo: swd ends" stop_swd
stop "${ns_pid[a]}"
stop "${ns_pid[b]}"
stop "${ns_pid[s]}"

# --- several queues, one worker and two

both_workers_poll() {
	swctl -j worker show | tee -a /dev/stderr |
		jq -e 'length == 2 and all(.queues | length > 0)'
}
lan_make 4 1500 a b c
swd_in_ns s
iperf_serve b
cpus=$(cpu_list 2)
check "swd starts, one worker, 4 queues" start_ports "" -w "${cpus%%,*}"
check "4 queues" port_is pa '.queues == 4'
carry "4 queues" -P 4
check "4 queues: swd ends" stop_swd
if [[ $cpus = *,* ]]; then
	check "swd starts, two workers, 4 queues" start_ports "" -w "$cpus"
	check "both workers poll" both_workers_poll
	carry "two workers" -P 4
	check "a third card" swctl port add pc type xdp
	check "a flood reaches everyone" pings c 2
	check "two workers: every frame is accounted for" conserved br0
	check "two workers: swd ends" stop_swd
fi

# A card that has fewer queues to send than to receive with.
in_ns s ethtool -L pa tx 1
in_ns s ethtool -L pb tx 1
check "swd starts, 4 queues to receive and one to send" start_ports ""
carry "4 to 1" -P 4
check "4 to 1: swd ends" stop_swd
verdict
