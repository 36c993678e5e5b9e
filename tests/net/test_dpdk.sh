#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_dpdk.sh - DPDK's virtio-user as a second, independent guest driver
#
#	test_dpdk.sh [some]	some: without those options that are much like others
#
# One dpdk-testpmd opens a virtio-user device on each of two vhost-user ports
# and plays both guests (testpmd.sh).  Their memory is a memfd of ordinary pages
# that cannot be sealed.

. "${0%/*}/lib.sh"
. "${0%/*}/testpmd.sh"
require jq dpdk-testpmd setpriv

RING=256
ENOUGH=$((100 * RING))

# Starts both guests: $1 queue pairs, frames of $2 bytes, $3 options of both
# devices, $4 what they do with frames (macswap).
guests_start() {
	local queues=$1 size=$2 mode=${4-macswap}
	local options=queue_size=$RING,queues=$queues${3:+,$3}
	guests_run -m 256 --force-max-simd-bitwidth=512 --vdev \
		"net_virtio_user0,path=$T/vhost/vm1,mac=$guests_mac:01,$options" \
		--vdev \
		"net_virtio_user1,path=$T/vhost/vm2,mac=$guests_mac:02,$options" \
		-- --forward-mode="$mode" --txpkts="$size" \
		--rxq="$queues" --txq="$queues" --rxd=$RING --txd=$RING
}

# Whether the rings of both ports are of format $1.
rings_are() {
	swctl -j port show | jq -e --arg format "$1" 'all(.ring == $format)'
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
	check "$what: frames circulate" circulate $ENOUGH
	echo "# $mpps million frames a second"
	check "$what: the rings are $format rings" rings_are $format
	check "$what: addresses are on their ports" learned vm1 vm2
	check "$what: guests leave in peace" guests_stop
	check "$what: ports wait again" waiting
	check "$what: every frame is accounted for" conserved br0
	check "$what: guests count the same frames" agree "$1" $RING
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
	check "killed guests: frames circulate" circulate $ENOUGH
	guests_stop KILL
	check "killed guests: ports wait again" waiting
	check "killed guests: every frame is accounted for" conserved br0
	before=$(total rx_packets)
	guests_start 1 512 "$2"
	check "killed guests: their successors' frames circulate" \
		eventually 15 sent $((before + 100 * RING))
	check "killed guests: addresses are on their ports" learned vm1 vm2
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
all pair 1 1500 ""
all pair 2 512 ""
all pair 1 512 mrg_rxbuf=0
pair 2 1500 mrg_rxbuf=0
all pair 1 64 in_order=0
pair 2 64 in_order=0,mrg_rxbuf=0
pair 1 64 mrg_rxbuf=0,vectorized=1
pair 1 64 packed_vq=1
all pair 1 1500 packed_vq=1
pair 2 512 packed_vq=1
all pair 1 512 packed_vq=1,mrg_rxbuf=0
all pair 1 64 packed_vq=1,in_order=0
pair 2 1500 packed_vq=1,in_order=0,mrg_rxbuf=0
all pair 1 64 packed_vq=1,mrg_rxbuf=0,vectorized=1
pair 2 1500 packed_vq=1,mrg_rxbuf=0,vectorized=1
two_workers in_order=0
two_workers packed_vq=1
deaf ""
deaf packed_vq=1
killed "" packed_vq=1
killed packed_vq=1 ""
check "swd ends with status 0" stop_swd
verdict
