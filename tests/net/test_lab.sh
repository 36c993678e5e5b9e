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
	guest -t 60 lab swctl "$@"
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

# Adds cards $1 (several words) as ports with options "$2".. and waits for their
# links: an igb loses its own for seconds when a program is attached, and the
# switch hears of its return a moment later.
add() {
	local cards=$1
	shift
	guest -t 60 lab "for card in $cards; do
			swctl port add \$card type xdp $* || exit 1
		done
		for card in $cards; do
			for i in \$(seq 100); do
				grep -q 1 /sys/class/net/\$card/carrier &&
					swctl -j port show \$card |
					grep -q '\"state\":\"up\"' &&
					continue 2
				usleep 100000
			done
			echo \$card has no link
			exit 1
		done"
}

delete() { # CARD...
	guest -t 60 lab "for card in $*; do
			swctl port del \$card || exit 1
		done"
}

# Whether the cards "$3".. have mode $1, and were asked for mode $2.
have_mode() {
	local mode=$1 asked=$2
	shift 2
	swctl -j port show | jq -r '.[] | "\(.name) \(.state)" +
		" \(.mode) \(.mode_asked)"' | sort | tee "$T/modes"
	printf "%s up $mode $asked\n" "$@" | sort | diff "$T/modes" -
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
	guest -t 60 lab "for card in ${ports[*]}; do
			echo \$card
			/bin/ip -d link show \$card |
				grep -o 'promiscuity [0-9]*\|mtu [0-9]*\|xdp'
			ethtool -k \$card; ethtool -l \$card; ethtool -x \$card
		done 2>/dev/null"
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

# Kills swd outright and leaves in files of the guest how many hundredths of a
# second a program stays on each of the cards "$@", and how long it takes until
# the kernel's ping through v0 is answered again.  What the kernel has concluded
# from the silence before is not part of it.  The times are those of a guest
# that is emulated on processors it shares, so more is granted to it than the
# second that a real machine has.
kill_swd() {
	guest -t 60 lab '
		now() { cut -d " " -f 1 /proc/uptime | tr -d .; }
		start=$(now)
		since() { echo $(($(now) - start)); }
		programmed() { /bin/ip link show $1 | grep -q xdp; }
		for card in '"$*"'; do
			programmed $card || exit 1
		done
		kill -KILL $(pidof swd)
		for card in '"$*"'; do
			while programmed $card; do
				[ $(since) -lt 1000 ] || exit 1
			done
			since >/tmp/gone.$card
		done
		[ -e /tmp/pinged ] && exit
		/bin/ip neigh flush dev v0
		ping -c 100 -i 0.1 -w 10 10.9.0.2 | grep -m 1 "bytes from" ||
			exit 1
		since >/tmp/pinged'
}

# Whether what kill_swd() left in file $1 of the guest is at most $2 hundredths.
within() {
	local hundredths
	hundredths=$(guest lab cat "/tmp/$1")
	echo "$hundredths hundredths of a second"
	[[ $hundredths =~ ^[0-9]+$ ]] && [ "$hundredths" -le "$2" ]
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
		add "v0 v1" mode native mtu 9000 &&
		intact -n 100 -s 9014 v0:v1 v1:v0
}

jumbo_undone() {
	delete v0 v1
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
check "all cards become ports" add "${ports[*]}" mode zerocopy
check "zero-copy is obtained on all" \
	have_mode zerocopy zerocopy "${ports[@]}"
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
check "every port is deleted" delete "${ports[@]}"
check "every card is as it was" settings_restored

check "copy only: zero-copy is refused" refused h0 zerocopy
check "copy only: the best there is" add h0
check "copy only: mode" have_mode native auto h0
check "copy only: next to zero-copy" add v0 mode zerocopy
check "copy only: frames" intact -n 300 -s 1514 v0:h0 h0:v0
check "copy only: accounted for" conserved br0
check "copy only: deleted" delete h0 v0

check "jumbo frames" jumbo
check "jumbo frames: accounted for" conserved br0
check "jumbo frames: deleted" jumbo_undone

plug_cable
check "the kernel has a peer" prepare_peer
check "the kernel reaches it" kernel_pings
check "all cards become ports again" add "${ports[*]}"
check "zero-copy is what auto obtains" have_mode zerocopy auto "${ports[@]}"
check "the card of v0 follows its node" on_cpu v0 0
check "the card of g0 follows its node" on_cpu g0 1
check "packet memory on both nodes" memory_on_both_nodes
check "the kernel does not reach its peer through a port" \
	eval '! kernel_pings'

# An emulated igb takes a second to be set up anew, which would be counted.
check "the igb are deleted" delete g0 g1
check "the switch is killed" kill_swd v0 v1 v2
check "no program on v0 any more" within gone.v0 300
check "the kernel reaches its peer again" within pinged 600
check "a killed switch leaves no program or promiscuity" settings_restored
stop "$cable"

# A switch that is killed cannot give the offloads of an igb back.
check "the switch starts again" lab_swd lab -w 0-1
check "cards become ports after the kill" add "v0 v1 g0 g1" mode zerocopy
check "frames after the kill" intact -n 300 -s 1000 v0:v1 v1:v0 g0:g1 g1:g0
check "the switch is killed again" kill_swd g0 g1
check "no program on the igb any more" within gone.g1 1500
settings >"$T/settings"

check "the switch starts a third time" lab_swd lab -w 0-1
check "cards become ports a third time" add "v0 g0"
check "frames at last" intact -n 300 -s 1000 v0:g0 g0:v0
check "the switch ends well" guest -t 60 lab 'p=$(pidof swd); kill $p
	for i in $(seq 200); do
		[ -d /proc/$p ] || exit 0
		usleep 50000
	done; exit 1'
check "nothing is forwarded any more" nothing_arrives v0:g0 g0:v0
check "every card is as it was, once more" settings_restored
check "the kernel does not complain" no_complaints
[ "$n_failed" = 0 ] || guest lab tail -n 20 /tmp/swd.log >"$T/swd.log"
verdict
