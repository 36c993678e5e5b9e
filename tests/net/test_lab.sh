#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_lab.sh - cards whose drivers do zero-copy, in a guest that runs swd
#
# Five cards are ports: three virtio on NUMA node 0, two igb with two queues
# each on node 1.  A sixth card, which does no zero-copy, is a port for a
# while, and then the peer that the guest's own kernel reaches whenever the
# switch is gone.  Some checks come first without the switch and must find the
# opposite: a check that cannot fail proves nothing.

. "${0%/*}/lib.sh"
. "${0%/*}/qemu.sh"
. "${0%/*}/lab.sh"
require jq

ports=(v0 v1 v2 g0 g1)

# What lib.sh says of the switch is asked of the one in the guest.
swctl() {
	guest lab swctl "$@"
}

# Prints key $2 of port $1.
value() {
	swctl -j -s port show "$1" | jq -r --arg key "$2" '.[0]?[$key]'
}

# Whether everything that labwire "$@" sends arrives once, intact and in order.
# With "astray" first, nothing may have come out of another card either.
intact() {
	local more=true
	[ "$1" != astray ] || { more='.astray == 0' && shift; }
	labwire "$@" | tee "$T/wire.json"
	jq -e "length > 0 and all(.[]; .arrived == .sent and .sent > 0 and
		.repeated == 0 and .damaged == 0 and .disordered == 0 and
		($more))" "$T/wire.json" >/dev/null
}

# Whether nothing of labwire "$@" arrives anywhere.
nothing_arrives() {
	labwire -w 500 "$@" | tee "$T/wire.json"
	jq -e 'length > 0 and all(.[]; .sent > 0 and .arrived == 0 and
		.astray == 0)' "$T/wire.json" >/dev/null
}

# Adds card $1 as a port with options "$2"... and waits for its link: an igb
# loses it for seconds when a program is attached.
add() {
	local name=$1
	shift
	swctl port add "$name" type xdp "$@" && eventually 10 carrier "$name"
}

carrier() {
	[ "$(value "$1" state)" = up ] && guest lab "grep -q 1 \
		/sys/class/net/$1/carrier"
}

add_all() {
	local name
	for name in "${ports[@]}"; do
		swctl port add "$name" type xdp mode zerocopy || return
	done
	for name in "${ports[@]}"; do
		eventually 10 carrier "$name" || return
	done
}

delete_all() {
	local name
	for name in "${ports[@]}"; do
		swctl port del "$name" || return
	done
}

has_mode() { # PORT MODE ASKED
	local got
	got=$(value "$1" mode)/$(value "$1" mode_asked)
	echo "$1: $got"
	[ "$got" = "$2/$3" ]
}

# Whether mode $2 is refused for card $1, in a sentence that names both, and no
# port is left behind.
refused() {
	! swctl port add "$1" type xdp mode "$2" >"$T/refusal" 2>&1 &&
		cat "$T/refusal" && grep -q "$1" "$T/refusal" &&
		! swctl port show "$1" >/dev/null 2>&1
}

# What a port must give back as it was: the features, the spread over the
# queues, the promiscuity and the number of queues of every card.
settings() {
	local name
	for name in "${ports[@]}"; do
		guest lab "echo $name; /bin/ip -d link show $name |
			grep -o 'promiscuity [0-9]*\|mtu [0-9]*\|xdp'
			ethtool -k $name; ethtool -l $name; ethtool -x $name" \
			2>/dev/null
	done
}

settings_restored() {
	settings >"$T/settings.now"
	diff "$T/settings" "$T/settings.now"
}

in_guest() { # TEXT COMMAND: the command's output has the text
	guest lab "$2" 2>&1 | tee "$T/in_guest"
	grep -q -- "$1" "$T/in_guest"
}

# Prints tx_packets and tx_copied of all ports.
sent_and_copied() {
	swctl -j -s port show | jq -r '"\(map(.tx_packets) | add) " +
		"\(map(.tx_copied) | add)"'
}

# Whether frames between cards that know each other's addresses (five ways of
# 400) are sent without copying a byte.
no_copies() {
	local sent0 sent1 copied0 copied1
	read -r sent0 copied0 < <(sent_and_copied)
	intact astray -n 400 v0:v1 v1:v0 g0:g1 g1:g0 v0:g1 || return
	read -r sent1 copied1 < <(sent_and_copied)
	echo "sent $((sent1 - sent0)), copied $((copied1 - copied0))"
	[ $((sent1 - sent0)) = 2000 ] && [ "$copied1" = "$copied0" ]
}

# A station that nobody has heard is flooded to: v2 hears every frame as well.
floods_unknown() {
	labwire -k 9 -n 50 v0:v1 v2 | tee "$T/wire.json"
	jq -e '.[0].arrived == 50 and .[0].astray == 50' "$T/wire.json"
}

# The station behind v0 has spoken: it is in the table, and v2 is left alone.
learned() {
	swctl -j fdb show | tee "$T/fdb.json"
	jq -e 'any(.[]; .mac == "02:09:76:30:00:00" and .port == "v0" and
		.state == "dynamic")' "$T/fdb.json" >/dev/null &&
		intact astray -k 9 -n 50 v1:v0 v2
}

# Prints how many frames queue $2 of card $1 has received.
queue_packets() {
	guest lab "ethtool -S $1" |
		sed -n "s/^ *rx_queue_$2_packets: //p"
}

# Whether IPv4 through g0 arrives intact and uses queue 1 or not, as $1 says.
spreads() {
	local before after
	before=$(queue_packets g0 1)
	intact -i -n 320 g0:g1 g1:g0 || return
	after=$(queue_packets g0 1)
	echo "queue 1 received $((after - before))"
	[ "$1" = "$((after > before))" ]
}

# Whether the card's table names queue 0 alone.
only_queue_0() {
	guest lab ethtool -x g0 >"$T/table"
	grep -q '^ *0: ' "$T/table" && ! grep -q '^ *[0-9]*: .* 1' "$T/table"
}

# The guest's kernel on v0 and its peer on h0, which has a namespace of its
# own; a cable joins the cards outside.
prepare_peer() {
	guest lab '/bin/ip netns add peer && /bin/ip link set h0 netns peer &&
		/bin/ip -n peer addr add 10.9.0.2/24 dev h0 &&
		/bin/ip -n peer link set h0 up &&
		/bin/ip addr add 10.9.0.1/24 dev v0'
}

plug_cable() {
	start "$T/cable.log" "$BUILD/tests/net/labwire" -d "$T/wire" -c v0 h0
	cable=$pid
}

kernel_pings() {
	guest lab "for i in 1 2 3; do
			ping -c 1 -W 1 10.9.0.2 && exit 0
		done; exit 1"
}

# Kills swd outright and measures, in hundredths of a second, how long programs
# stay and how long it takes until the kernel's ping is answered again.  What
# the kernel has concluded from the silence before is not part of it.
kill_swd() {
	guest lab '
		now() { cut -d " " -f 1 /proc/uptime | tr -d .; }
		start=$(now)
		/bin/ip link show v0 | grep -q xdp || exit 1
		kill -KILL $(pidof swd)
		while /bin/ip link show | grep -q xdp; do
			[ $(($(now) - start)) -lt 1000 ] || exit 1
		done
		echo $(($(now) - start)) >/tmp/gone
		/bin/ip neigh flush dev v0
		ping -c 100 -i 0.1 -w 10 10.9.0.2 | grep -m 1 "bytes from" ||
			exit 1
		echo $(($(now) - start)) >/tmp/pinged
		cat /tmp/gone /tmp/pinged'
}

# Whether what kill_swd() left in file $1 of the guest is within a second.
within_a_second() {
	local hundredths
	hundredths=$(guest lab cat "/tmp/$1")
	echo "$hundredths hundredths of a second"
	[[ $hundredths =~ ^[0-9]+$ ]] && [ "$hundredths" -le 100 ]
}

# Whether queue 0 of card $1 belongs to the worker on processor $2, which is
# the one of the card's node.
on_cpu() {
	swctl -j worker show | tee "$T/workers.json"
	jq -e --arg port "$1" --argjson cpu "$2" 'any(.[]; .cpu == $cpu and
		any(.queues[]; .port == $port)) and
		all(.[]; .cpu == $cpu or
		all(.queues[]; .port != $port))' "$T/workers.json" >/dev/null
}

# Whether packet memory lies in equal parts on both nodes.  Registering it with
# a card brings all of it into memory.
memory_on_both_nodes() {
	local line n0 n1
	line=$(guest lab 'grep swd-pool /proc/$(pidof swd)/numa_maps')
	echo "$line"
	n0=$(sed -n 's/.* N0=\([0-9]*\).*/\1/p' <<<"$line")
	n1=$(sed -n 's/.* N1=\([0-9]*\).*/\1/p' <<<"$line")
	[ "${n0:-0}" -gt 1000 ] && [ "${n1:-0}" -gt 1000 ] &&
		[ $((n0 - n1)) -lt 100 ] && [ $((n1 - n0)) -lt 100 ]
}

# Jumbo frames need several buffers each, which drivers do in copy mode only.
jumbo() {
	guest lab 'for i in v0 v1; do /bin/ip link set $i mtu 9000; done' &&
		add v0 mode native mtu 9000 && add v1 mode native mtu 9000 &&
		intact -n 100 -s 9014 v0:v1 v1:v0
}

jumbo_undone() {
	swctl port del v0 && swctl port del v1
	local status=$?
	guest lab 'for i in v0 v1; do /bin/ip link set $i mtu 1500; done' &&
		return $status
}

no_complaints() {
	guest lab '! dmesg | grep -E "BUG|WARNING|Oops|stall|hung|Tx Unit Hang"'
}

lab_prepare
for card in v0 v1 v2; do
	lab_card $card virtio node=0
done
lab_card g0 igb node=1
lab_card g1 igb node=1
lab_card h0 plain node=0
lab_start lab
check "the guest boots" lab_wait lab
[ "$n_failed" = 0 ] || verdict
check "without the switch nothing is forwarded" \
	nothing_arrives v0:v1 v1:v0 g0:g1 g1:g0 v2
settings >"$T/settings"

check "the switch starts" lab_swd lab -w 0-1
check "all cards become ports" add_all
for name in "${ports[@]}"; do
	check "$name: zero-copy is obtained" has_mode "$name" zerocopy zerocopy
done
check "a promiscuous card" in_guest "promiscuity 1" "/bin/ip -d link show g0"
check "virtio: short frames" intact -n 500 -s 60 v0:v1 v1:v0
check "virtio: long frames" intact -n 500 -s 1514 v0:v1 v1:v0
check "igb: short frames" intact -n 500 -s 60 g0:g1 g1:g0
check "igb: long frames" intact -n 500 -s 1514 g0:g1 g1:g0
check "between both kinds" intact -n 500 -s 1514 v0:g0 g0:v0 g1:v1 v1:g1
check "tags arrive" intact -n 100 -v 5 -s 1518 g0:g1 g1:g0 v0:g0 g0:v0
check "an unknown station is flooded to" floods_unknown
check "a station is learned" learned
check "no byte is copied between cards" no_copies
check "all queues of a card are used" spreads 1
check "every frame is accounted for" conserved br0

check "a queue alone: deleted" swctl port del g0
check "a queue alone: added" add g0 mode zerocopy queues 0
check "a queue alone: the card spreads to it only" only_queue_0
check "a queue alone: everything arrives there" spreads 0
check "a queue alone: accounted for" conserved br0
check "every port is deleted" delete_all
check "every card is as it was" settings_restored

check "copy only: zero-copy is refused" refused h0 zerocopy
check "copy only: the best there is" add h0
check "copy only: mode" has_mode h0 native auto
check "copy only: next to zero-copy" add v0 mode zerocopy
check "copy only: mode of the other" has_mode v0 zerocopy zerocopy
check "copy only: frames" intact -n 300 -s 1514 v0:h0 h0:v0
check "copy only: deleted" swctl port del h0
check "copy only: the other deleted" swctl port del v0

check "jumbo frames" jumbo
check "jumbo frames: accounted for" conserved br0
check "jumbo frames: deleted" jumbo_undone

plug_cable
check "the kernel has a peer" prepare_peer
check "the kernel reaches it" kernel_pings
check "all cards become ports again" add_all
check "the card of v0 follows its node" on_cpu v0 0
check "the card of g0 follows its node" on_cpu g0 1
check "packet memory on both nodes" memory_on_both_nodes
check "the kernel does not reach its peer through a port" \
	eval '! kernel_pings'
check "the switch is killed" kill_swd
check "no program a second later" within_a_second gone
check "the kernel reaches its peer a second later" within_a_second pinged
stop "$cable"

check "the switch starts again" lab_swd lab -w 0-1
check "all cards become ports after the kill" add_all
check "frames after the kill" intact -n 300 -s 1514 v0:v1 v1:v0 g0:g1 g1:g0
check "the switch ends well" guest lab 'p=$(pidof swd); kill $p
	for i in $(seq 100); do
		[ -d /proc/$p ] || exit 0
		usleep 50000
	done; exit 1'
check "nothing is forwarded any more" nothing_arrives v0:v1 g0:g1
check "every card is as it was, once more" settings_restored
check "the kernel does not complain" no_complaints
[ "$n_failed" = 0 ] || guest lab tail -n 20 /tmp/swd.log >"$T/swd.log"
verdict
