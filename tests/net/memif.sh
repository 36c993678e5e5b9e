# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# memif.sh - applications of DPDK's, which has its own memif
#
# Sourced after testpmd.sh, whose testpmd plays both applications.

# Room for all frames in five pieces each: testpmd, when a frame in pieces finds
# none, sends one of zeroes instead later on.
RING=512
ENOUGH=$((100 * RING))
jumbo=2000,2000,2000,2000,1000

# Prints memif device $1 (0, 1) of an application in role $2, with options $3:
# its socket is that of the port p1, p2 unless they say otherwise; with
# $abstract=yes it has an abstract name.  Only device
# 0 does without copies: when it connects, DPDK closes the descriptor of its
# memory, which device 1 may still have to pass on.
memif() {
	local at=socket=$T/pipe/p$(($1 + 1)), options=$3
	[ "$2" = client ] || at=socket=$T/app$1,
	[ -z "${abstract-}" ] || at=socket=$T/abstract$1,
	[[ $options != *socket=* ]] || at=
	[ "$1" = 0 ] || options=${options/zero-copy=yes/}
	echo "net_memif$1,role=$2,${at}socket-abstract=${abstract:-no},id=$1,rsize=9,$(
		)mac=$guests_mac:0$(($1 + 1))${options:+,$options}"
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
	local name=$1 role=$2 id=$((${1#p} - 1)) at=()
	shift 2
	if [ "$role" = server ]; then
		[[ " $* " == *" socket "* ]] || at=(socket "$T/app$id")
		set -- role client "${at[@]}" ring-size $RING "$@"
	fi
	swctl port add "$name" type pipe id $id mtu 9000 "$@"
}
