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
. "${0%/*}/lab-checks.sh"
require jq

ports=(v0 v1 v2 g0 g1)

# A station that nobody has heard is flooded to: v2 hears every frame as well.
floods_unknown() {
	labwire -k 9 -n 50 v0:v1 v2 | tee "$T/wire.json"
	jq -e '.[0].arrived == 50 and .[0].astray == 50' "$T/wire.json"
}

# The station behind v0 has spoken: it is in the table, and v2 is left alone.
learned() {
	knows 02:09:76:30:00:00 v0 && intact astray -k 9 -n 50 v1:v0 v2
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
check "no byte is copied between cards" \
	no_copies -n 400 v0:v1 v1:v0 g0:g1 g1:g0 v0:g1
check "all queues of a card are used" spreads 1
check "every frame is accounted for" conserved br0

check "a queue alone: deleted" swctl port del g0
check "a queue alone: added" add g0 mode zerocopy queues 0
check "a queue alone: the card spreads to it only" only_queue_0
check "a queue alone: everything arrives there" spreads 0
check "every port is deleted" delete "${ports[@]}"
check "every card is as it was" settings_restored

check "copy only: zero-copy is refused" refused \
	'h0 does not hand over frames without a copy' '`mode auto`' \
	h0 mode zerocopy
check "copy only: the best there is" add h0
check "copy only: mode" have_mode native auto h0
check "copy only: next to zero-copy" add v0 mode zerocopy
check "copy only: frames" intact -n 300 -s 1514 v0:h0 h0:v0
check "copy only: accounted for" conserved br0
check "copy only: deleted" delete h0 v0

check "jumbo frames" jumbo
check "jumbo frames: accounted for" conserved br0
check "jumbo frames: deleted" jumbo_undone

plug_cable v0
check "the kernel has a peer" prepare_peer v0
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
# Its files are closed one after the other.
none_promiscuous() {
	settings >"$T/settings" && ! grep -q "promiscuity [1-9]" "$T/settings"
}
check "no card is promiscuous any more" eventually 15 none_promiscuous

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
