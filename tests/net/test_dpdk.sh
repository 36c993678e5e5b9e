#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_dpdk.sh - DPDK's virtio-user as a second, independent guest driver
#
# One dpdk-testpmd opens a virtio-user device on each of two vhost-user ports
# and plays both guests.  Every frame that reaches a guest is sent back with its
# addresses swapped, so that the first burst circulates through the switch for
# as long as no frame is lost.  The guests' memory is a memfd of ordinary pages
# that cannot be sealed; neither huge pages nor privileges are needed.

. "${0%/*}/lib.sh"
require jq dpdk-testpmd setpriv

RING=256
cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
guests_log=$T/guests.log
guests_pid=

# Starts both guests: $1 queue pairs, frames of $2 bytes, $3 options of both
# devices, $4 what they do with frames (macswap).
guests_start() {
	local queues=$1 size=$2 mode=${4-macswap}
	local options=queue_size=$RING,queues=$queues${3:+,$3}
	local mac=02:00:00:00:00
	rm -f "$guests_log"
	start "$guests_log" env RUNTIME_DIRECTORY="$T" dpdk-testpmd \
		--lcores "(0,1)@($cpus)" --main-lcore 0 --no-pci --no-huge \
		--no-shconf --file-prefix "guests$$" -m 256 \
		--force-max-simd-bitwidth=512 --vdev \
		"net_virtio_user0,path=$T/vhost/vm1,mac=$mac:01,$options" \
		--vdev \
		"net_virtio_user1,path=$T/vhost/vm2,mac=$mac:02,$options" \
		-- --nb-cores=1 --port-topology=loop --forward-mode="$mode" \
		--tx-first --stats-period=60 --txpkts="$size" \
		--rxq="$queues" --txq="$queues" --rxd=$RING --txd=$RING \
		--eth-peer="0,$mac:02" --eth-peer="1,$mac:01" \
		--total-num-mbufs=16384
	guests_pid=$pid
}

guests_stop() {
	stop "$guests_pid" "${1-TERM}"
}

# Prints the sum of counter $1 over both ports.
total() {
	swctl -j -s port show | jq "map(.$1) | add"
}

# Whether the guests have sent more than $1 frames since their ports exist.
sent() {
	[ "$(total rx_packets)" -gt "$1" ]
}

sent_or_died() {
	sent "$1" || ! kill -0 "$guests_pid" 2>/dev/null
}

# Whether frames go round: both guests get some during the next second.  Sets
# $mpps, the frames that both got in that time.
circulate() {
	local from to start_ms=0
	eventually 15 sent_or_died $((100 * RING)) && sent $((100 * RING)) || {
		tail -n 15 "$guests_log"
		swctl -p -j -s port show
		return 1
	}
	start_ms=$(now_ms)
	from=$(total tx_packets)
	sleep 1
	to=$(total tx_packets)
	mpps=$(jq -n "($to - $from) / ($(now_ms) - $start_ms) / 1000 |
		. * 1000 | round / 1000")
	[ "$to" -gt "$from" ] && both_receive
}

both_receive() {
	swctl -j -s port show | jq -e 'all(.tx_packets > 0)'
}

# Whether each guest's address was learned on its own port and nowhere else.
learned() {
	local found
	found=$(swctl -j fdb show | jq -r 'map("\(.mac) \(.port)") |
		map(select(startswith("02:00:00:00:00:"))) | sort | join(", ")')
	echo "$found"
	[ "$found" = "02:00:00:00:00:01 vm1, 02:00:00:00:00:02 vm2" ]
}

both_wait() {
	local states
	states=$(swctl -j port show | jq -r 'map(.state) | join(" ")')
	echo "states: $states"
	[ "$states" = "wait wait" ]
}

waiting() {
	eventually 5 both_wait
}

# Whether the rings of both ports are of format $1.
rings_are() {
	swctl -j port show | jq -e --arg format "$1" 'all(.ring == $format)'
}

# Whether the guests' own counts agree with the switch's: what it sent them they
# have received, and what they sent it has taken, save what the rings of $1
# queue pairs held when they stopped.
agree() {
	local got sent held=$((2 * $1 * RING)) tx rx
	got=$(guests_count RX) sent=$(guests_count TX)
	tx=$(total tx_packets) rx=$(total rx_packets)
	echo "guests: received $got, sent $sent; switch: sent $tx, took $rx"
	[ $((tx - got)) -ge 0 ] && [ $((tx - got)) -le $held ] &&
		[ $((sent - rx)) -ge 0 ] && [ $((sent - rx)) -le $held ]
}

# Prints the frames that both guests counted in direction $1 (RX, TX).
guests_count() {
	sed -n '/for all ports/,$ s/.*'"$1"'-packets: *\([0-9]*\).*/\1/p' \
		"$guests_log" | head -n 1
}

# Adds both ports, with $1 queue pairs.
ports_add() {
	swctl port add vm1 type vhost-user queues "$1" &&
		swctl port add vm2 type vhost-user queues "$1" && waiting
}

ports_del() {
	swctl port del vm1 && swctl port del vm2
}

# One pair of guests, from first contact to the last counted frame: $1 queue
# pairs, frames of $2 bytes, $3 options of both devices.
pair() {
	local what="${3:-defaults}, $1 queue pair(s), $2 bytes" format=split
	[[ $3 != *packed_vq=1* ]] || format=packed
	mpps=none
	check "$what: ports wait for guests" ports_add "$1"
	guests_start "$1" "$2" "$3"
	check "$what: frames circulate" circulate
	echo "# $mpps million frames a second"
	check "$what: the rings are $format rings" rings_are $format
	check "$what: addresses are on their ports" learned
	check "$what: guests leave in peace" guests_stop
	check "$what: ports wait again" waiting
	check "$what: every frame is accounted for" conserved br0
	check "$what: guests count the same frames" agree "$1"
	check "$what: ports are deleted" ports_del
}

# Guests that only send, with $1 options: all frames beyond the receiver's ring
# are dropped, with a reason, and still add up.
deaf() {
	check "deaf guests: ports wait for guests" ports_add 1
	guests_start 1 64 "$1" txonly
	check "deaf guests: frames keep being taken" \
		eventually 15 sent $((1000 * RING))
	check "deaf guests: their full rings are the reason" ring_full
	check "deaf guests: guests leave in peace" guests_stop
	check "deaf guests: every frame is accounted for" conserved br0
	check "deaf guests: ports are deleted" ports_del
}

ring_full() {
	swctl -j -s port show |
		jq -e 'all(.drops.guest_ring_full > 0 and .tx_packets > 0)'
}

# Guests that die without a word, with options $1, and their successors, with
# options $2.
killed() {
	local before
	check "killed guests: ports wait for guests" ports_add 1
	guests_start 1 512 "$1"
	check "killed guests: frames circulate" circulate
	guests_stop KILL
	check "killed guests: ports wait again" waiting
	check "killed guests: every frame is accounted for" conserved br0
	before=$(total rx_packets)
	guests_start 1 512 "$2"
	check "killed guests: their successors' frames circulate" \
		eventually 15 sent $((before + 100 * RING))
	check "killed guests: addresses are on their ports" learned
	check "killed guests: successors leave in peace" guests_stop
	check "killed guests: every frame is accounted for at the end" \
		conserved br0
	check "killed guests: ports are deleted" ports_del
}

# Both queue pairs of both guests, shared out among two workers that write to
# the same rings, with options $1.
two_workers() {
	[[ $cpus = *[,-]* ]] || return
	check "a second worker starts" swctl worker add "${cpus%%[,-]*}"
	pair 2 512 "$1"
	check "the second worker ends" swctl worker del \
		"$(swctl -j worker show | jq 'map(.id) | max')"
}

check "swd starts" start_swd
pair 1 64 ""
pair 1 1500 ""
pair 2 512 ""
pair 1 512 mrg_rxbuf=0
pair 2 1500 mrg_rxbuf=0
pair 1 64 in_order=0
pair 2 64 in_order=0,mrg_rxbuf=0
pair 1 64 mrg_rxbuf=0,vectorized=1
pair 1 64 packed_vq=1
pair 1 1500 packed_vq=1
pair 2 512 packed_vq=1
pair 1 512 packed_vq=1,mrg_rxbuf=0
pair 1 64 packed_vq=1,in_order=0
pair 2 1500 packed_vq=1,in_order=0,mrg_rxbuf=0
pair 1 64 packed_vq=1,mrg_rxbuf=0,vectorized=1
pair 2 1500 packed_vq=1,mrg_rxbuf=0,vectorized=1
two_workers in_order=0
two_workers packed_vq=1
deaf ""
deaf packed_vq=1
killed "" packed_vq=1
killed packed_vq=1 ""
check "swd ends with status 0" stop_swd
verdict
