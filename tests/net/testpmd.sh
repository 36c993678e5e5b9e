# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# testpmd.sh - two applications of DPDK's, or two guests, in one testpmd
#
# Sourced after lib.sh.  One dpdk-testpmd has a device on each of the two ports
# of bridge br0, with addresses 02:00:00:00:00:01 and :02.  Every frame that
# reaches it is sent back with its addresses swapped, so that the first burst
# circulates through the switch for as long as no frame is lost.  Neither huge
# pages nor privileges are needed.

# What is left out where "some" is the script's word: much like something else.
all() {
	[ "$extent" = some ] || "$@"
}

extent=${1-all}
cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
guests_log=$T/guests.log
guests_pid=
guests_mac=02:00:00:00:00
guests_as=() # a command that runs it
guests_memory=(--no-huge)

# Runs testpmd with the words "$@": options of the EAL, --, its own options.
guests_run() {
	local eal=()
	while [ "$1" != -- ]; do
		eal+=("$1")
		shift
	done
	rm -f "$guests_log"
	start "$guests_log" env RUNTIME_DIRECTORY="$T" "${guests_as[@]}" \
		dpdk-testpmd \
		--lcores "(0,1)@($cpus)" --main-lcore 0 --no-pci \
		--no-shconf --file-prefix "guests$$" "${guests_memory[@]}" \
		"${eal[@]}" "$@" \
		--nb-cores=1 --port-topology=loop --tx-first \
		--stats-period=60 --total-num-mbufs=16384 \
		--eth-peer="0,$guests_mac:02" --eth-peer="1,$guests_mac:01"
	guests_pid=$pid
}

guests_stop() {
	stop "$guests_pid" "${1-TERM}"
}

# Prints what is shown of br0's ports, with their counters, as jq's $1 has it.
guests_ports() {
	swctl -j -s port show | jq -r "map(select(.bridge == \"br0\")) | $1"
}

# Prints the sum of counter $1 over both ports.
total() {
	guests_ports "map(.$1) | add"
}

# Whether the guests have sent more than $1 frames since their ports exist.
sent() {
	[ "$(total rx_packets)" -gt "$1" ]
}

sent_or_died() {
	sent "$1" || ! kill -0 "$guests_pid" 2>/dev/null
}

# Whether frames go round, of which $1 count as a start: both guests get some
# during the next second.  Sets $mpps, the frames that both got in that time.
circulate() {
	local from to start_ms=0
	eventually 15 sent_or_died "$1" && sent "$1" || {
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
	[ "$(guests_ports 'all(.tx_packets > 0)')" = true ]
}

# Whether each guest's address was learned on its own port, $1 and $2, and
# nowhere else.
learned() {
	local found
	found=$(swctl -j fdb show | jq -r --arg mac "$guests_mac" '
		map("\(.mac) \(.port)") | map(select(startswith($mac))) |
		sort | join(", ")')
	echo "$found"
	[ "$found" = "$guests_mac:01 $1, $guests_mac:02 $2" ]
}

both_wait() {
	local states
	states=$(guests_ports 'map(.state) | join(" ")')
	echo "states: $states"
	[ "$states" = "wait wait" ]
}

waiting() {
	eventually 5 both_wait
}

# Whether the guests' own counts agree with the switch's: what it sent them they
# have received, and what they sent it has taken, save what the rings of $1
# queue pairs with $2 slots held when they stopped.
agree() {
	local got sent held=$((2 * $1 * $2)) tx rx
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
