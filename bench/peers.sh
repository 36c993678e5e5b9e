# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# peers.sh - the switches that are compared, each with the sockets of guests
#
# Sourced, after pairs.sh.  Each forwards on cpu 0.  testpmd does not switch:
# what comes in at one port goes out at the other, which is what a switch made
# of DPDK's vhost library could reach at best.
#
#	start_peers swd ovs testpmd
#	load() { exec .. $(sockets_of "$1"); }
#	measure_peers SIZE swd ovs testpmd

PEERS_DESCRIBED="swd -w 0, one worker; ovs-vswitchd, one forwarding thread on \
cpu 0; testpmd, forwarding from port to port on cpu 0; guests on cpu 1"
n_sockets=2 # of swd and ovs
mtu= # of ports, if not the usual one

# Starts the switches "$@" and freezes them.
start_peers() {
	local name
	for name; do
		case $name in
		swd) start_swd_guests ;;
		ovs) start_ovs ;;
		testpmd) start_testpmd_guests ;;
		*) die "there is no switch $name here: swd, ovs or testpmd" ;;
		esac
		freeze "$name"
	done
}

# Takes pairs of the first of the switches "$2".. and each other one.
measure_peers() {
	local size=$1 first=$2 name
	shift 2
	for name; do
		measure "$size" "$first" "$name"
	done
}

# Prints where the guests of switch $1 connect to.
sockets_of() {
	local i dir=$T/$1
	[ "$1" != swd ] || dir=$T/vhost
	for ((i = 1; i <= ${2-2}; i++)); do
		echo "$dir/vm$i"
	done
}

start_swd_guests() {
	local i
	start_swd -w 0 || died swd
	for ((i = 1; i <= n_sockets; i++)); do
		swctl port add vm$i type vhost-user ${mtu:+mtu $mtu} ||
			died swd
	done
	switch_pid[swd]=$swd_pid
}

died() {
	tail -n 15 "$T/$1.log" >&2
	die "$1 did not start"
}

start_testpmd_guests() {
	mkdir "$T/testpmd"
	start_testpmd "net_vhost0,iface=$T/testpmd/vm1" \
		"net_vhost1,iface=$T/testpmd/vm2"
}

# Starts a testpmd that forwards on cpu 0 between two devices, $1 and $2.  The
# thread that reads commands sleeps, on the other cpu.
start_testpmd() {
	mkfifo "$T/commands" && exec {commands}<>"$T/commands"
	touch "$T/testpmd.log"
	RUNTIME_DIRECTORY=$T setpriv --pdeathsig KILL stdbuf -oL dpdk-testpmd \
		--lcores 0@1,1@0 --main-lcore 0 --no-pci --in-memory \
		--single-file-segments -m 256 --file-prefix "peer$$" \
		--vdev "$1" --vdev "$2" -- -i --nb-cores=1 \
		--forward-mode=io --auto-start \
		<"$T/commands" >"$T/testpmd.log" 2>&1 &
	switch_pid[testpmd]=$!
	eventually 20 testpmd_ready_or_died && testpmd_ready || died testpmd
}

testpmd_ready() {
	grep -q "io packet forwarding - ports=2" "$T/testpmd.log"
}

testpmd_ready_or_died() {
	testpmd_ready || ! running "${switch_pid[testpmd]}"
}

# What light -l and taps print, as the values of a sample.
PERCENTILES=("ns 50 %" ".ns 90 %" ".ns 99 %" "ns 99.9 %" ".ns 99.99 %"
	".ns max" .frames ".Mpps of others")
percentiles() {
	awk '{ print $1, $8, $9, $2, $3, $4, $5, $6, $7, $10 }'
}

# Runs "$3".., which loads switch $1 for $seconds after $2 of warming up, and
# adds to what it prints the cycles that the switch's thread was busy for each
# frame that it took, by its own account, in the middle of that time: while the
# guests are there.  What is called busy is the switch's own affair: swd counts
# the rounds of a queue that had frames, ovs-vswitchd the same, testpmd nothing.
accounted() {
	local name=$1 warmup=$2 line numbers cycles=-
	shift 2
	exec {line}< <(TMPDIR=$T exec setpriv --pdeathsig KILL "$@")
	! counts_cycles "$name" || cycles=$(cycles_a_frame "$name" "$warmup")
	read -r numbers <&$line || return 1
	echo "$numbers $cycles"
}

MARGIN=0.3 # seconds of a load before and behind the account of cycles

cycles_a_frame() {
	local before after
	before=$(usage_of "$1")
	eventually 10 has_begun "$1" "${before#* }"
	sleep "$(awk "BEGIN { print $2 + $MARGIN }")"
	before=$(usage_of "$1")
	sleep "$(awk "BEGIN { print $seconds - 2 * $MARGIN }")"
	after=$(usage_of "$1")
	awk "BEGIN { split(\"$before $after\", u); frames = u[4] - u[2]
		print (frames > 0 ? (u[3] - u[1]) / frames : \"-\") }"
}

# Whether switch $1 has taken more than some frames since it had taken $2.
has_begun() {
	local usage
	usage=$(usage_of "$1")
	[ "${usage#* }" -gt $(($2 + 10000)) ]
}

counts_cycles() {
	[ "$1" = swd ] || [ "$1" = ovs ]
}

# Prints the cycles that switch $1 was busy, and the frames that it took, until
# now; only differences mean anything.
usage_of() {
	case $1 in
	swd) swctl -j worker show | jq -r '[.[].queues[]] |
		"\(map(.cycles) | add // 0) \(map(.frames) | add // 0)"' ;;
	ovs) ovs-appctl -t "$T/ovs/vswitchd.ctl" dpif-netdev/pmd-stats-show |
		awk '/^ *processing cycles:/ { cycles += $3 }
			/^ *packets received:/ { frames += $3 }
			END { printf "%.0f %.0f\n", cycles, frames }' ;;
	esac
}
