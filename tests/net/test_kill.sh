#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_kill.sh - the switch is killed under load, again and again
#
#	test_kill.sh [KILLS [WHOSE...]]		50 times, under all of:
#
#	light	two light guests, with and without in-flight memory, which look at
#		every frame and every buffer (tests/guest/test_restart_kill.c)
#	dpdk	two virtio-user devices of one testpmd
#	qemu	two virtual machines, with a TCP connection that has to live on
#
# Each is done with split rings and with packed ones.  What is measured is the
# time from the kill until both guests get frames again from the switch that was
# started at once; where the guests meet the switch is theirs to listen at, so
# that they do not have to find out that it is back.

. "${0%/*}/lib.sh"
. "${0%/*}/qemu.sh"
. "${0%/*}/testpmd.sh"
require jq

pause=0
kills=${1-50}
shift
whose=${*:-light dpdk qemu}

# Whether frames have reached both guests.
forwards() {
	swctl -j -s port show 2>/dev/null |
		jq -e 'length == 2 and all(.tx_packets > 0)' >/dev/null
}

launch() {
	start "$T/swd.log" "$SWD" -r "$T" -c "$T/ports.conf"
	swd_pid=$pid
}

# Kills the switch and starts it; the milliseconds until frames pass again, as
# "$@" says, go to the list of outages.
kill_once() {
	local began
	began=$(now_ms)
	kill -KILL "$swd_pid"
	wait "$swd_pid" 2>/dev/null
	launch
	until "$@"; do
		[ $(($(now_ms) - began)) -lt 20000 ] || return 1
	done
	echo $(($(now_ms) - began)) >>"$T/outages"
}

# All kills, each up to a second, and $pause, after the one before.
kill_all() {
	local i
	rm -f "$T/outages"
	for ((i = 1; i <= kills; i++)); do
		sleep "$pause.$((RANDOM % 10))"
		kill_once "$@" || {
			echo "no frames after $i kills"
			swctl -j -s -p port show
			return 1
		}
	done
}

# Says how long the outages were; whether the worst was below $1 ms.
outages_below() {
	local all
	all=$(sort -n "$T/outages")
	median=$(sed -n "$(((kills + 1) / 2))p" <<<"$all")
	worst=$(tail -n 1 <<<"$all")
	[ "$worst" -lt "$1" ]
}

# Two ports that look for their guests at $T/vm1 and $T/vm2.
start_ports() {
	printf 'port add vm%d type vhost-user role client socket %s\n' \
		1 "$T/vm1" 2 "$T/vm2" >"$T/ports.conf"
	launch
	eventually 5 swd_answers
}

# The body of a test with guests $1: killed, back in time, nothing miscounted.
# The rest tells whether frames pass.
survive() {
	check "$1: every switch forwards" kill_all "${@:2}"
	check "$1: within a second" outages_below 1000
	echo "# $1: $kills kills, outage median $median ms, worst $worst ms"
	check "$1: every frame of the last is accounted for" conserved br0
}

light() {
	local rings
	for rings in split packed; do
		check "light guests, $rings: nothing lost, nothing twice" \
			env KILLS="$kills" GUEST_RING=$rings SWD="$SWD" \
			"$BUILD/tests/guest/test_restart_kill" --jobs 1
		grep '^# ' "$T/check.log"
	done
}

# Both devices in one testpmd that takes commands from $commands.
dpdk_run() { # OPTIONS
	rm -f "$T/commands"
	mkfifo "$T/commands" && exec {commands}<>"$T/commands"
	setpriv --pdeathsig KILL env RUNTIME_DIRECTORY="$T" dpdk-testpmd \
		--lcores "(0,1)@($cpus)" --main-lcore 0 --no-pci --no-huge \
		--no-shconf --file-prefix "kill$$" -m 256 --vdev \
		"net_virtio_user0,path=$T/vm1,mac=$guests_mac:01,$1" --vdev \
		"net_virtio_user1,path=$T/vm2,mac=$guests_mac:02,$1" -- -i \
		--forward-mode=flowgen --rxd=256 --txd=256 --nb-cores=1 \
		--port-topology=loop --total-num-mbufs=16384 \
		--eth-peer="0,$guests_mac:02" --eth-peer="1,$guests_mac:01" \
		<"$T/commands" >"$guests_log" 2>&1 &
	guests_pid=$!
	echo start >&"$commands"
}

# Whether frames pass.  A device of virtio-user looks for its switch when its
# link is asked for, which an application does from time to time.
dpdk_forwards() {
	printf 'show port info %d\n' 0 1 >&"$commands"
	forwards
}

dpdk_once() { # WHAT OPTIONS
	check "$1: the switch starts" start_ports
	dpdk_run "$2"
	check "$1: frames pass" eventually 20 dpdk_forwards
	survive "$1" dpdk_forwards
	check "$1: guests leave in peace" guests_stop
	exec {commands}>&-
	check "$1: swd ends with status 0" stop_swd
}

dpdk() {
	require dpdk-testpmd
	dpdk_once "virtio-user, split" server=1,queue_size=256
	dpdk_once "virtio-user, packed" server=1,queue_size=256,packed_vq=1
}

# The connection is the one that was opened at first, and still carries bytes.
tcp_lives() {
	guest vm1 'pidof iperf3 || { cat /tmp/iperf.log; exit 1; }
		a=$(cat /sys/class/net/eth0/statistics/tx_bytes)
		sleep 5
		b=$(cat /sys/class/net/eth0/statistics/tx_bytes)
		tail -n 3 /tmp/iperf.log
		[ $((b - a)) -gt 1000000 ]'
}

both_ready() {
	guest_wait vm1 && guest_wait vm2
}

# QEMU takes the link away while there is no switch, upon which Linux forgets its
# neighbours and, if the other is not back yet to be asked for, asks again after
# a second.  That is not the switch's time, and so the neighbours are given; nor
# is it that Linux deals with what happens to links once a second.
qemu() {
	local pause=2
	guest_prepare
	check "machines: the switch starts" start_ports
	guest_start vm1 "$T/vm1" addr=10.0.0.1/24 chardev=server=on
	guest_start vm2 "$T/vm2" addr=10.0.0.2/24 chardev=server=on \
		dev=packed=on
	check "machines: they boot" both_ready
	guest vm2 'arp -s 10.0.0.1 52:54:00:00:00:01
		iperf3 -s -D >/dev/null'
	guest vm1 'arp -s 10.0.0.2 52:54:00:00:00:02
		ping -i 0.02 10.0.0.2 >/tmp/ping.log 2>&1 &
		iperf3 -c 10.0.0.2 -t 86400 -b 20M >/tmp/iperf.log 2>&1 &'
	check "machines: frames pass" eventually 10 forwards
	survive "machines, split and packed" forwards
	check "machines: TCP lives on" tcp_lives
	check "machines: no errors in vm1" guest_no_errors vm1
	check "machines: no errors in vm2" guest_no_errors vm2
	guest_stop vm1
	guest_stop vm2
	check "machines: swd ends with status 0" stop_swd
}

for who in $whose; do
	$who
done
verdict
