#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_tap.sh - tap ports: the host's own network stack, and two containers'
#
# swd runs in namespace s.  Its taps are moved into namespaces a and b, whose
# stacks talk to each other through it at 10.9.0.1 and 10.9.0.2, or stay at
# home, where the host is 10.9.0.3.  Checksums are judged by the stacks: what is
# wrong, they count.

. "${0%/*}/lib.sh"
. "${0%/*}/netns.sh"
require jq ip iperf3 ping nstat setpriv unshare

cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)

# Prints $2 of port $1.
port() {
	swctl -j -s port show "$1" | jq -r ".[0].$2"
}

state_is() { # PORT STATE [REASON]
	local now
	now=$(swctl -j port show "$1" | jq -r '.[0] | "\(.state) \(.reason)"')
	echo "$1: $now"
	[ "$now" = "$2 ${3-null}" ]
}

# Moves tap $1 into namespace $2, where it gets the host number $3.
move() {
	in_ns s ip link set "$1" netns "${ns_pid[$2]}" && dress "$2" "$1" "$3"
}

# Gives interface $2 in namespace $1 the addresses of host $3, and starts it.
dress() {
	in_ns "$1" sh -c "echo 0 >/proc/sys/net/ipv6/conf/$2/disable_ipv6" &&
		in_ns "$1" ip addr add "10.9.0.$3/24" dev "$2" &&
		in_ns "$1" ip addr add "fd00::$3/64" dev "$2" nodad &&
		in_ns "$1" ip link set "$2" up
}

# A pair of taps, ta in a and tb in b, with options "$@".
pair_add() {
	swctl port add ta type tap "$@" && swctl port add tb type tap "$@" &&
		move ta a 1 && move tb b 2
}

pair_del() {
	swctl port del ta && swctl port del tb
}

tcp6() {
	in_ns a timeout 10 iperf3 -n 30M -c fd00::2
}

speed() {
	jq -r '"# \(.end.sum_received.bits_per_second / 1e6 | round) Mbit/s"' \
		"$T/iperf.json"
}

# The average frame that port $1 took in since it was added has $2.. bytes and
# no more than $3.
frames_have() {
	local size
	size=$(port "$1" 'rx_bytes / .[0].rx_packets | round')
	echo "average of port $1: $size bytes"
	[ "$size" -ge "$2" ] && [ "$size" -le "$3" ]
}

no_interface() { # NAMESPACE NAME
	! in_ns "$1" ip link show "$2"
}

# None but those for a stack that was not up yet.
none_dropped() {
	swctl -j -s port show | jq -c 'map(.drops)'
	swctl -j -s port show |
		jq -e 'map(.drops | del(.port_down, .port_list_is_empty) |
			add // 0) | add == 0'
}

# Two taps with `offload` $1, whose frames have on average $2 to $3 bytes.
both_ways() {
	local what="offload $1"
	check "$what: two taps go to two namespaces" pair_add offload "$1"
	check "$what: they are up" eventually 2 state_is ta up
	check "$what: ping" pings a 2
	check "$what: TCP to and fro" tcp a 2
	speed
	check "$what: frames have the size they should" frames_have ta "$2" "$3"
	check "$what: TCP fro and to" tcp a 2 -R
	speed
	check "$what: TCP over IPv6" tcp6
	check "$what: no stack found an error" checksums_right s a b
	check "$what: every frame is accounted for" conserved br0
	check "$what: none was dropped" none_dropped
	check "$what: the ports are deleted" pair_del
	check "$what: so are the taps" no_interface a ta
}

# What one leaves undone is done for the other, who counts what is wrong.
mixed() {
	check "mixed: a tap with offloads, and one without" eval \
		'swctl port add ta type tap && move ta a 1 &&
		swctl port add tb type tap offload off && move tb b 2'
	check "mixed: TCP to and fro" tcp a 2
	speed
	check "mixed: large frames come in" frames_have ta 5000 65549
	check "mixed: and are cut" [ "$(port tb tx_segments)" -gt 1000 ]
	check "mixed: TCP fro and to" tcp a 2 -R
	check "mixed: TCP over IPv6" tcp6
	check "mixed: UDP" udp a 2
	check "mixed: no stack found an error" checksums_right s a b
	check "mixed: every frame is accounted for" conserved br0
	check "mixed: the ports are deleted" pair_del
}

queues_busy() {
	swctl -j -s worker show >"$T/workers"
	jq -c . "$T/workers"
	jq -e '[.[].queues[] | select(.port == "ta" and .share > 0)] |
		length == 2' "$T/workers"
}

# Several flows on two queues, with two workers where there are two cores.
two_queues() {
	[[ $cpus != *[,-]* ]] || swctl worker add "${cpus%%[,-]*}" >/dev/null
	check "two queues: taps" pair_add queues 2
	check "two queues: both are in use" \
		[ "$(port ta queues)" = 2 ]
	check "two queues: many streams" tcp a 2 -P 16
	speed
	check "two queues: both carry frames" queues_busy
	check "two queues: no stack found an error" checksums_right s a b
	check "two queues: every frame is accounted for" conserved br0
	check "two queues: the ports are deleted" pair_del
	[[ $cpus != *[,-]* ]] || swctl worker del \
		"$(swctl -j worker show | jq 'map(.id) | max')"
}

mtu_of() { # NAMESPACE INTERFACE MTU
	[ "$(link_show "$1" "$2" .mtu)" = "$3" ]
}

jumbo() {
	check "mtu 9000: taps" pair_add mtu 9000 offload off
	check "mtu 9000: the interface has it" mtu_of a ta 9000
	check "mtu 9000: long pings" pings a 2 -s 8900
	check "mtu 9000: TCP" tcp a 2
	check "mtu 9000: in long frames" frames_have ta 5000 9014
	check "mtu 9000: the ports are deleted" pair_del
	check "mtu of a port that has its own tap" swctl port add ta type tap
	check "it is the tap's" mtu_of s ta 1500
	check "also when it changes" swctl port set ta mtu 4000
	check "it is the tap's again" mtu_of s ta 4000
	check "the port is deleted" swctl port del ta
}

# What is flooded reaches a null port as well.
to_null() {
	check "a null port joins" swctl port add n0 type null
	check "taps join" pair_add
	check "they talk" pings a 2
	check "and the null port swallows what is for all" \
		[ "$(port n0 tx_packets)" -gt 0 ]
	check "every frame is accounted for" conserved br0
	swctl port del n0 && pair_del
}

has_address() { # ADDRESS
	in_ns s ip -br addr show tp | grep -F "$1"
}

# An interface that the user made, as the host's own.
tp_add() {
	in_ns s ip tuntap add tp mode tap && dress s tp 3
}

ports_add() {
	swctl port add host type tap dev tp &&
		swctl port add tb type tap && move tb b 2
}

persistent() {
	check "persistent tap" tp_add
	check "a port takes it" ports_add
	check "says so" [ "$(port host persistent)" = true ]
	check "the host talks" pings s 2
	check "its mtu changes" in_ns s ip link set tp mtu 1400
	check "the port's follows" eventually 2 \
		eval '[ "$(port host mtu)" = 1400 ]'
	stop_swd KILL
	check "it outlives swd" has_address 10.9.0.3/24
	check "swd comes back" start_swd
	check "its ports too" ports_add
	check "the host talks again" pings s 2
}

# The interface goes away under way, and comes back.
deleted() {
	local reason='tap tp is gone'
	start_in s "$T/flood.log" iperf3 -c 10.9.0.2 -t 20
	local flood=$pid
	sleep 0.5
	check "it is deleted under traffic" in_ns s ip link del tp
	check "the port waits" eventually 1 state_is host wait "$reason"
	stop "$flood" KILL
	check "it is made again" tp_add
	check "the port takes it again" eventually 2 state_is host up
	check "the host talks once more" eventually 3 pings s 2
	check "it is stopped" in_ns s ip link set tp down
	check "the port waits for that" eventually 1 state_is host wait \
		'tap tp is down: `ip link set dev tp up`'
	check "it is started" in_ns s ip link set tp up
	check "the port is up again" eventually 1 state_is host up
	check "every frame is accounted for" conserved br0
	check "a tap of swd's own is deleted" in_ns b ip link del tb
	check "it is made anew at once" eventually 1 in_ns s ip link show tb
	check "the ports are deleted" swctl port del host
	check "the user's tap stays" has_address 10.9.0.3/24
	swctl port del tb
	in_ns s ip link del tp
}

# A container takes its end along when it ends; or gives it back.
containers() {
	ns_make c
	check "a tap goes to a container" eval \
		'swctl port add tc type tap && move tc c 4'
	check "it counts as up" eventually 1 state_is tc up
	check "it comes back" in_ns c ip link set tc netns "${ns_pid[s]}"
	check "and is down" eventually 1 state_is tc wait \
		'tap tc is down: `ip link set dev tc up`'
	check "it is renamed" in_ns s ip link set tc name td
	check "which is seen" eventually 1 eval '[ "$(port tc dev)" = td ]'
	check "it goes there again" move td c 4
	check "it counts as up again" eventually 1 state_is tc up
	stop "${ns_pid[c]}" KILL
	check "the container ends, and there is another" \
		eventually 5 in_ns s ip link show tc
	check "which is down" eventually 1 state_is tc wait \
		'tap tc is down: `ip link set dev tc up`'
	check "the port is deleted" swctl port del tc
}

# The switch refuses `port add p type tap` "$2"..  in a sentence with $1, and
# stays as it was.
refused() {
	local words=$1 before after
	shift
	before=$(swctl -j port show)
	! swctl port add p type tap "$@" >"$T/refused" 2>&1 || return
	after=$(swctl -j port show)
	cat "$T/refused"
	grep -qF -- "$words" "$T/refused" && grep -q '^Hint: ' "$T/refused" &&
		[ "$before" = "$after" ]
}

# Under swd as started by "$2"..
refused_within() {
	local words=$1
	shift
	stop_swd
	swd_in_ns s "$@"
	start_swd && refused "$words" dev new
}

too_many_queues() {
	swctl port add p type tap queues 65 2>"$T/refused"
	[ $? = 2 ] && grep -F '"65" is not a number from 1 to 64' "$T/refused"
}

bad_input() {
	in_ns s ip link add veth0 type veth peer veth1
	in_ns s ip tuntap add tun0 mode tun
	in_ns s ip tuntap add tap1 mode tap
	in_ns s ip tuntap add tapn mode tap multi_queue
	swctl port add p1 type tap dev tap1
	swctl port add p2 type tap dev tapn
	check "lo is no tap" refused "interface lo is no tap" dev lo
	check "a veth is no tap" \
		refused "interface veth0 is no tap, its kind is veth" dev veth0
	check "a tun is no tap" refused "interface tun0 is no tap" dev tun0
	check "a tap in use" \
		refused "another program, or another port, uses tap tap1" dev tap1
	check "a tap of several queues in use" \
		refused "another port, uses tap tapn" dev tapn
	swctl port del p1
	check "a tap of one queue" \
		refused "was made for one queue and not for 2" dev tap1 queues 2
	check "the queue is free nevertheless" \
		swctl port add p1 type tap dev tap1
	check "a name too long" refused "cannot be the name of an interface" \
		dev abcdefghijklmnop
	check "too many queues" too_many_queues
	check "no permission" refused_within \
		"no permission to make tap new" setpriv --bounding-set -net_admin
	check "no /dev/net/tun" refused_within "there is no /dev/net/tun" \
		unshare --mount --propagation unchanged sh -c \
		'{ mount --make-rprivate / || mount --make-rprivate /dev
		} 2>/dev/null && mount -t tmpfs none /dev/net && exec "$@"' sh
}

ns_make s a b
swd_in_ns s
iperf_serve b
check "swd starts" start_swd
both_ways on 10000 65549
both_ways off 60 1514
mixed
two_queues
jumbo
to_null
persistent
deleted
containers
bad_input
check "swd ends with status 0" stop_swd
verdict
