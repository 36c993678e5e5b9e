#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_xdp_life.sh - cards that come, change, go and return
#
# What happens to the interface of a port while swd has it, and what is left of
# it when swd gives it back: by deleting the port, at its end, and killed.
. "${0%/*}/lib.sh"
. "${0%/*}/netns.sh"
require jq ip ethtool ping iperf3 cc
cc -O1 -o "$T/peer" "$ROOT/tests/net/xdp_peer.c" || die "no xdp_peer"

# Whether port $1 is in state $2, for a reason with the words $3.
state_is() {
	swctl -j port show "$1" | jq -e --arg reason "${3-}" ".[0] |
		.state == \"$2\" and (.reason // \"\" | contains(\$reason))" || {
		swctl -p -j port show "$1"
		return 1
	}
}

# ... within a second.
becomes() {
	eventually 1 state_is "$@"
}

port_is() {
	swctl -j -s port show "$1" | jq -e ".[0] | $2" || {
		swctl -s -p -j port show "$1"
		return 1
	}
}

card() {
	in_ns s ip link set "$@"
}

# Has host a send frames to b without an end; sets $flood_pid.
flood() {
	start_in a "$T/flood.log" "$T/peer" send e0 \
		"$(link_show b e0 .address)" 100 0
	flood_pid=$pid
}

lan_make 4 1500 a b
in_ns s ip addr add 10.9.0.100/24 dev pb
swd_in_ns s

# Whether card $1 is the host's: no program on it, promiscuous for nobody, and
# the host's own stack reaches b.
is_hosts() {
	[ "$(link_show s "$1" '(.xdp == null) and .promiscuity == 0')" = true ] &&
		pings s 2
}

check "the host has its card" is_hosts pb
check "swd starts" start_swd
check "card pa" swctl port add pa type xdp
check "card pb" swctl port add pb type xdp
check "they carry" pings a 2
check "the host has lost its card" eval '! is_hosts pb'

# --- link and carrier

flood
check "link down" card pb down
check "link down: the port waits" becomes pb wait "pb is down"
check "link up" card pb up
check "link up: the port is up" becomes pb up
check "link up: it carries" reaches a 2
check "the other end down" in_ns b ip link set e0 down
check "no carrier: the port waits" becomes pb wait "pb has no carrier"
check "the other end up" in_ns b ip link set e0 up
check "carrier: the port is up" becomes pb up
check "carrier: it carries" reaches a 2

flap() {
	local i
	for ((i = 0; i < 20; i++)); do
		card pb down && card pb up || return 1
	done
}
check "20 flaps under load" flap
check "after flaps: the port is up" becomes pb up
check "after flaps: it carries" reaches a 2

# The control thread does not look while the card is down: it is busy waiting
# for a queue that another program has.
unseen_flap() {
	local add
	swctl port add busy type xdp &
	add=$!
	sleep 0.03
	card pb down && sleep 0.03 && card pb up
	! wait $add
}
veth_make s busy b e1
start_in s "$T/hold.log" "$T/peer" hold busy 0
eventually 2 grep -q held "$T/hold.log" || die "$(cat "$T/hold.log")"
check "a flap that nobody sees" unseen_flap
check "after an unseen flap: it carries" reaches a 2
stop "$pid"

# --- name

check "rename while attached" card pb name other0
check "rename: shown under its name" eventually 1 port_is pb \
	'.dev == "other0" and .state == "up"'
check "rename: it carries" reaches a 2
check "rename: another MTU" card other0 mtu 9000
check "rename: attached anew" eventually 2 port_is pb \
	'.dev == "other0" and .state == "up" and .multi_buffer'
check "rename: the MTU it had" card other0 mtu 1500
check "rename: attached once more" eventually 2 port_is pb \
	'.dev == "other0" and .state == "up" and (.multi_buffer | not)'
check "rename: it still carries" reaches a 2
check "rename back" card other0 name pb
check "rename back: shown" eventually 1 port_is pb '.dev == "pb"'

# --- removal and return

removed() {
	local start_ms
	start_ms=$(now_ms)
	in_ns s ip link del pb && becomes pb wait "there is no interface pb" &&
		echo "after $(($(now_ms) - start_ms)) ms"
}
returned() {
	veth_make s pb b e0 4 && in_ns b sh -c '
		ethtool -K e0 tx off txvlan off >/dev/null
		ip addr add 10.9.0.2/24 dev e0' &&
		in_ns a ip neigh flush dev e0 # another address
}
check "removal under load: the port waits" removed
check "removal: the other port is up" state_is pa up
check "it is made again" returned
check "return: the port is up" eventually 2 state_is pb up
check "return: it carries" reaches a 2
remove_sender() {
	in_ns a ip link del e0 && becomes pa wait "there is no interface pa"
}
check "removal of the card that receives: the port waits" remove_sender
! running "$flood_pid" || stop "$flood_pid"
check "it is made again, too" veth_make s pa a e0 4
in_ns a sh -c 'ethtool -K e0 tx off txvlan off; ip addr add 10.9.0.1/24 dev e0'
check "return of pa: the port is up" eventually 2 state_is pa up
check "return of pa: it carries" reaches a 2

ns_make elsewhere
check "moved to another namespace" card pb netns "${ns_pid[elsewhere]}"
check "moved: the port waits" becomes pb wait "there is no interface pb"
clean_elsewhere() {
	link_show elsewhere pb '.xdp, .promiscuity'
	[ "$(link_show elsewhere pb '(.xdp == null) and .promiscuity == 0')" = \
		true ]
}
check "moved: nothing of swd is left on it" clean_elsewhere
check "moved back" in_ns elsewhere ip link set pb netns "${ns_pid[s]}"
check "moved back: the port waits for it to be up" \
	eventually 2 state_is pb wait "pb is down"
check "moved back: up" card pb up
check "moved back: the port is up" eventually 2 state_is pb up
check "moved back: it carries" reaches a 2

# --- queues

# The kernel lets a card have more queues while it is attached, not fewer.
queues_are() {
	port_is pb ".queues == $1 and .state == \"up\""
}
fewer_queues() {
	! in_ns s ethtool -L pb rx 2 tx 2 && queues_are 4
}
check "every frame is accounted for" conserved br0
check "the port is deleted" swctl port del pb
in_ns b ethtool -L e0 tx 2 # not more than its peer has to receive
# The kernel has the last word on its sockets a moment after they were closed.
check "the card itself has fewer queues" eventually 1 in_ns s \
	ethtool -L pb rx 2 tx 1
check "a card with fewer queues" swctl port add pb type xdp
check "fewer queues are shown" queues_are 2
check "fewer queues: it carries" reaches a 2
check "ethtool -L: more queues" in_ns s ethtool -L pb rx 4 tx 4
check "more queues are used" eventually 2 queues_are 4
check "more queues: it carries" reaches a 2
check "ethtool -L: fewer queues are refused, and nothing changes" fewer_queues
check "then it still carries" pings a 2

# --- given back

check "deleted: the port" swctl port del pb
in_ns s ip addr replace 10.9.0.100/24 dev pb
check "deleted: the host has its card" eventually 1 is_hosts pb
check "added again" swctl port add pb type xdp
check "added again: it carries" reaches a 2
check "SIGTERM: status 0" stop_swd
check "SIGTERM: the host has its card" is_hosts pb

killed() {
	local start_ms
	start_ms=$(now_ms)
	kill -KILL "$swd_pid"
	eventually 1 is_free && echo "# the card was free after" \
		"$(($(now_ms) - start_ms)) ms" >"$T/notes" && pings s 2
}
is_free() {
	[ "$(link_show s pb '(.xdp == null) and .promiscuity == 0')" = true ]
}
check "swd starts again" start_swd
swctl port add pa type xdp
swctl port add pb type xdp
check "it carries again" reaches a 2
flood
check "SIGKILL under load: the host has its card within a second" killed
cat "$T/notes"
stop "$flood_pid"
wait "$swd_pid" 2>/dev/null

# --- leaks

# Prints what swd holds: descriptors and mappings.
held() {
	echo "$(ls "/proc/$swd_pid/fd" | wc -l) descriptors," \
		"$(wc -l <"/proc/$swd_pid/maps") mappings"
}
cycles() {
	local i
	for ((i = 0; i < 50; i++)); do
		swctl port add pb type xdp && swctl port del pb || return 1
	done
}
# A sanitizer keeps memory that was given back, and thereby mappings.
holds() {
	local now want=$1
	now=$(held)
	echo "before: $want; after: $now"
	[ -z "${SWD_SANITIZED-}" ] || now=${now%,*} want=${want%,*}
	[ "$now" = "$want" ]
}
check "swd starts once more" start_swd
swctl port add pa type xdp
check "one cycle" eval 'swctl port add pb type xdp && swctl port del pb'
sleep 1.1 # what it held rests that long
before=$(held)
check "50 cycles of adding and deleting" cycles
check "no descriptor, no mapping is left" eventually 3 holds "$before"
check "added after 50 cycles" swctl port add pb type xdp
check "after 50 cycles: it carries" reaches a 2
check "swd ends with status 0" stop_swd
verdict
