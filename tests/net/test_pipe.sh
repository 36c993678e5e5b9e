#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_pipe.sh - pipes to applications of DPDK's, which have their own memif
#
# One testpmd plays both applications (testpmd.sh), in either of memif's roles:
# a client brings the memory, its own whole memory if it does without copies,
# which nobody can seal.  Then a pipe meets other kinds of port, an application
# that stops or is killed, and one whose user may not come in.

. "${0%/*}/lib.sh"
. "${0%/*}/testpmd.sh"
. "${0%/*}/netns.sh"
require jq dpdk-testpmd setpriv ping

RING=256
ENOUGH=$((100 * RING))
jumbo=2000,2000,2000,2000,1000

# The memif device $1 (0, 1) of an application in role $2, with options $3.
memif() {
	local at=$T/pipe/p$(($1 + 1))
	[ "$2" = client ] || at=$T/app$1
	echo "net_memif$1,role=$2,socket=$at,socket-abstract=no,rsize=8,$(
		)mac=$guests_mac:0$(($1 + 1))${3:+,$3}"
}

# Starts both applications: their role $1, $2 queues, frames of $3 bytes (or
# pieces of it), devices with options $4, and options $5.. of the EAL.
apps_start() {
	local role=$1 queues=$2 size=$3 options=$4
	shift 4
	guests_run -m 256 "$@" --vdev "$(memif 0 "$role" "$options")" \
		--vdev "$(memif 1 "$role" "$options")" \
		-- --forward-mode="${mode-macswap}" --txpkts="$size" \
		--tx-offloads=0x8000 --rxq="$queues" --txq="$queues"
}

# Adds port $1 for an application in role $2, with options $3..
pipe_add() {
	local name=$1 role=$2
	shift 2
	[ "$role" = client ] || set -- role client \
		socket "$T/app$((${name#p} - 1))" ring-size $RING "$@"
	swctl port add "$name" type pipe mtu 9000 "$@"
}

ports_add() { # ROLE OPTIONS...
	pipe_add p1 "$@" && pipe_add p2 "$@" && waiting
}

ports_del() {
	swctl port del p1 && swctl port del p2
}

# Two applications, from first contact to the last counted frame: what of them
# is special, their role, how many queues, which size, options of their devices,
# and of the EAL; the array port_options is that of both ports.
pair() {
	local what="$1, $3 queue(s), $4 bytes" role=$2 queues=$3
	shift
	mpps=none
	check "$what: ports wait for applications" \
		ports_add "$role" queues "$queues" "${port_options[@]}"
	apps_start "$@"
	check "$what: frames circulate" circulate $ENOUGH
	echo "# $mpps million frames a second"
	check "$what: as many rings as queues" rings_are "$queues"
	check "$what: addresses are on their ports" learned p1 p2
	check "$what: applications leave in peace" guests_stop
	check "$what: ports wait again" waiting
	check "$what: every frame is accounted for" conserved br0
	check "$what: each was copied" all_copied
	check "$what: applications count the same frames" \
		agree "$queues" $RING
	check "$what: ports are deleted" ports_del
}

# Whether both ports have $1 rings each way.
rings_are() {
	swctl -j port show | jq -e --argjson n "$1" 'all(
		(keys | map(select(test("^rx[0-9]+_size"))) | length) == $n and
		(keys | map(select(test("^tx[0-9]+_size"))) | length) == $n)'
}

all_copied() {
	swctl -j -s port show | jq -e 'all(.tx_copied == .tx_packets)'
}

check "swd starts" start_swd
port_options=()
pair "clients" client 1 64 ""
pair "clients" client 2 1500 ""
pair "clients" client 1 $jumbo ""
pair "servers" server 1 64 ""
pair "servers" server 2 1500 ""
pair "servers" server 1 $jumbo ""
port_options=(trusted on)
pair "clients without copies" client 1 64 zero-copy=yes --single-file-segments
pair "clients without copies" client 2 1500 zero-copy=yes --single-file-segments
pair "clients without copies" client 1 $jumbo zero-copy=yes --single-file-segments
check "swd ends with status 0" stop_swd
verdict
