#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_qemu_restart.sh - guests outlive the switch
#
# Two guests, one with split rings and one with packed ones, keep pinging and
# keep a TCP connection open while swd is ended with SIGTERM, then with SIGKILL,
# each time coming back with the saved configuration.  QEMU reconnects within a
# second; what is asked is that the guests notice nothing but that second.

. "${0%/*}/lib.sh"
. "${0%/*}/qemu.sh"
require jq

add_ports() {
	swctl port add vm1 type vhost-user &&
		swctl port add vm2 type vhost-user &&
		swctl config save "$T/saved.conf"
}

both_ready() {
	guest_wait vm1 && guest_wait vm2
}

both_up() {
	[ "$(swctl -j port show | jq '[.[] | select(.state == "up")] | length')" \
		= 2 ]
}

# Whether a single ping is answered.
reaches() {
	guest vm1 ping -c 1 -W 1 10.0.0.2
}

# Starts in vm1 what the switch's absence must not end.
start_traffic() {
	guest vm1 'ping -i 0.2 10.0.0.2 >/tmp/ping.log 2>&1 &
		iperf3 -c 10.0.0.2 -t 5 -b 5M >/tmp/iperf.log 2>&1 &'
}

# Ends the traffic and shows what came of it; at most $1 pings are lost.
traffic_survived() {
	local sent got
	guest vm1 'while pidof iperf3; do sleep 0.2; done >/dev/null
		kill -INT $(pidof ping)
		sleep 0.3
		tail -n 3 /tmp/iperf.log
		tail -n 2 /tmp/ping.log' |
		tee "$T/traffic.log"
	read -r sent got < <(sed -n \
		's/^\([0-9]*\) packets transmitted, \([0-9]*\) .*/\1 \2/p' \
		"$T/traffic.log")
	echo "sent ${sent:-no} pings, lost $((${sent:-0} - ${got:-0}))"
	grep -q receiver "$T/traffic.log" && [ "${got:-0}" -gt 0 ] &&
		[ $((sent - got)) -le "$1" ]
}

# Ends swd with signal $1, which must give exit status $2, and starts it again.
restart() {
	local status
	stop_swd "$1"
	status=$?
	echo "swd ended with status $status"
	start_swd -c "$T/saved.conf" && [ "$status" = "$2" ]
}

learned() {
	[ "$(swctl -j fdb show | jq length)" = 2 ]
}

# One way of dying: signal $1 gives exit status $2.
survives() {
	check "SIG$1: traffic starts" start_traffic
	sleep 1
	check "SIG$1: swd ends with status $2 and returns" restart "$1" "$2"
	check "SIG$1: both guests are back within 3 s" eventually 3 both_up
	check "SIG$1: the ping is answered again" eventually 5 reaches
	check "SIG$1: TCP survives, 3 s of pings lost at most" \
		traffic_survived 15
	check "SIG$1: every frame since is accounted for" conserved br0
	check "SIG$1: addresses are learned again" learned
}

guest_prepare
check "the switch starts" start_swd
check "two ports are saved" add_ports
guest_start vm1 "$T/vhost/vm1" addr=10.0.0.1/24
guest_start vm2 "$T/vhost/vm2" addr=10.0.0.2/24 dev=packed=on
check "two guests boot" both_ready
check "they reach each other" reaches
guest vm2 'iperf3 -s -D >/dev/null'
survives TERM 0
survives KILL 137
check "no errors in vm1" guest_no_errors vm1
check "no errors in vm2" guest_no_errors vm2
check "swd ends with status 0" stop_swd
verdict
