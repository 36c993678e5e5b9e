#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_wire.sh - what leaves by a wire, frame by frame
#
# swd runs in namespace s; host t1 is behind a tap, host x1 behind a card and
# host t3 behind a tap without offloads.  What these get of a large frame of
# t1's is compared with what the kernel makes of it, byte by byte: namespaces k
# and l share a cable that leaves its offloads to the kernel.
#
# The switch sums what is for t3.  What is for x1 it may leave to the kernel,
# which has to do it here, because the card is told that it does no checksums.
#
# Whether frames are right is for tshark to say, frame by frame.

. "${0%/*}/lib.sh"
. "${0%/*}/netns.sh"
. "${0%/*}/wire.sh"
require jq ip ethtool iperf3 ping nstat busybox setpriv unshare
wire_require gso_send wire_catch

counter() { # PORT KEY
	swctl -j -s port show "$1" | jq ".[0].$2 // 0"
}

# Gives interface e0 in namespace $1 the addresses of host $2, and starts it.
dress() {
	in_ns "$1" sh -c "echo 0 >/proc/sys/net/ipv6/conf/e0/disable_ipv6" &&
		in_ns "$1" ip addr add "10.9.0.$2/24" dev e0 &&
		in_ns "$1" ip addr add "fd00::$2/64" dev e0 nodad &&
		in_ns "$1" ip link set e0 up
}

# Port $1 becomes host $1's own tap, with options "$2".., at an address of its
# own that other hosts may know already.
tap_add() {
	swctl port add "$1" type tap "${@:2}" &&
		in_ns s ip link set "$1" netns "${ns_pid[$1]}" &&
		in_ns "$1" ip link set "$1" name e0 \
			address "02:00:00:00:01:0${1:1}" &&
		in_ns "$1" ip link set e0 up
}

# --- injecting

injected=02:00:00:00:00:01

# Catches at "$2".. what comes of the frame that gso_send's words $1 describe,
# sent by host t1, and at l the kernel's own segments of the same.
inject() {
	local words=$1
	shift
	catch_begin $injected l "$@" &&
		in_ns k "$tools/gso_send" e0 $words &&
		in_ns t1 "$tools/gso_send" e0 $words && catch_end
}

# Whether what was caught at $1 are the kernel's.  They are kept, for tshark to
# look at all of them at once.
same_frames() {
	cat "$T/caught.$1" >>"$T/segments"
	cmp "$T/caught.$1" "$T/caught.l" && return
	wc -l "$T/caught.$1" "$T/caught.l"
	diff "$T/caught.$1" "$T/caught.l" | head -n 4 | cut -c -260
	return 1
}

# Whether hosts "$2".. get the segments that the kernel makes of the frame of
# gso_send's words $1.
as_the_kernel() {
	local words=$1 host
	shift
	inject "$words" "$@" || return
	for host; do
		same_frames "$host" &&
			[ "$(wc -l <"$T/caught.$host")" -gt 1 ] || return
	done
}

# Whether it is found out when frames of the stream just caught are broken: one
# in its payload, one in its header, one is missing, and one cut short.
breaks_are_found() {
	awk 'length($7) < 2000 { next }
		{ hex = $7; n = length(hex); digit = substr(hex, n) }
		++at == 2 { hex = substr(hex, 1, n - 1) (digit == "0" ? 1 : 0) }
		at == 3 { hex = substr(hex, 1, 44) "01" substr(hex, 47) }
		at == 7 { hex = substr(hex, 1, n - 2) }
		at != 5 { print 0, 0, 0, 0, 0, 0, hex }
		at == 7 { exit }' "$T/caught.x1" >"$T/broken"
	! are_right "$T/broken" 1 >"$T/found" || return
	cat "$T/found"
	grep -qx "frame 2 of .*: TCP checksum" "$T/found" &&
		grep -qx "frame 3 of .*: IPv4 checksum" "$T/found" &&
		grep -qx "frame 5 of .*: sequence" "$T/found" &&
		grep -q "^frame 6 of " "$T/found" &&
		grep -q "^6 frames, 4 wrong" "$T/found"
}

# --- segments

segments() {
	local words
	while read -r words; do
		check "as the kernel cuts: $words" as_the_kernel "$words" x1 t3
	done <<-END
		tcp4
		tcp6
		udp4
		udp6
		tcp4 payload 65000 mss 536
		tcp4 payload 14481 flags 0x99
		tcp6 payload 60001 flags 0xd9
		tcp4 id 65530 seq 0xffffff01
		tcp4 df 0 id 0
		tcp4 options 0 mss 1460
		tcp4 options 40 mss 1420
		tcp4 ip-options 40 mss 1408
		tcp6 ip-options 16 mss 1400
		tcp4 vlan 10
		tcp6 vlan 10
		udp4 mss 1000 payload 64001
		udp6 mss 1 payload 99
		udp4 vlan 10 mss 1400
	END
	check "a sum of zero, as the kernel cuts" zero_sum
}

# The kernel writes it in one way when it cuts and in another when it only sums,
# and both are right.
zero_sum() {
	as_the_kernel "tcp4 seq 0xffffff00 id 65530" t3 &&
		grep -q 7fff00000000 "$T/caught.t3" &&
		inject "tcp4 seq 0xffffff00 id 65530" x1 &&
		are_right "$T/caught.x1" 1
}

# --- checksums left to the kernel

tx_checksum_by() { # WHOM
	swctl -d port show x1 | tee "$T/shown"
	grep -Eq "tx.checksum:? +$1" "$T/shown"
}

# Whether every segment for x1, which alone gets them, is handed over unsummed,
# and comes out summed.
summed_by_kernel() {
	local before
	before=$(counter x1 passed_through)
	inject tcp4 x1 && same_frames x1 &&
		[ "$(counter x1 passed_through)" = \
			$((before + $(wc -l <"$T/caught.x1"))) ]
}

# A card that says it does checksums is left to do them: so they come out as
# undone as the switch gave them to the kernel.
left_undone() {
	local status=0
	in_ns s ethtool -K px1 tx on >/dev/null && inject tcp4 x1 &&
		grep -q '^1 0 ' "$T/caught.x1" &&
		! grep -v '^1 0 ' "$T/caught.x1" || status=1
	in_ns s ethtool -K px1 tx off >/dev/null && return $status
}

leaves_checksums() {
	check "checksums: the port says who does them" tx_checksum_by kernel
	check "checksums: by the kernel, and right" summed_by_kernel
	check "checksums: the switch does not" left_undone
}

# --- a stack's own stream

mac_of() { # NAMESPACE
	in_ns "$1" cat /sys/class/net/e0/address
}

listens_at() { # NAMESPACE PORT
	[ -n "$(in_ns "$1" ss -Hltn sport = ":$2")" ]
}

# Has $3 random bytes sent by TCP from host $1 to host $2 at address $4, whose
# listener ends with the connection.  Sets $listener.
file_send() {
	head -c "$3" /dev/urandom >"$T/file"
	start_in "$2" "$T/nc.log" sh -c 'exec busybox nc -l -p 5300 >"$0"' \
		"$T/arrived"
	listener=$pid
	eventually 5 listens_at "$2" 5300 || return 1
	in_ns "$1" timeout 20 bash -c 'cat "$0" >"/dev/tcp/$1/5300"' \
		"$T/file" "$4"
}

file_arrives() {
	file_send "$@" && wait "$listener" && cmp "$T/file" "$T/arrived"
}

# Whether what host t1 sends to host x1 at address $1, with all that TCP does
# from its beginning to its end, is right on the wire, in order, once.
stream_is_right() {
	local size=4000000
	catch_begin "$(mac_of t1)" x1 && file_arrives t1 x1 $size "$1" &&
		catch_end && are_right "$T/caught.x1" 1 | tee "$T/checked" &&
		grep -q ", 0 wrong, $size bytes" "$T/checked"
}

streams() {
	check "a stack's stream over IPv4, caught" stream_is_right 10.9.0.2
	check "a stack's stream over IPv6, caught" stream_is_right fd00::2
	in_ns t1 sysctl -qw net.ipv4.tcp_ecn=1
	check "a stream with ECN, caught" stream_is_right 10.9.0.2
	check "what is wrong in one is found" breaks_are_found
	in_ns t1 sysctl -qw net.ipv4.tcp_ecn=2
	check "they came in large frames" [ "$(counter t1 'rx_bytes /
		.[0].rx_packets | round')" -gt 5000 ]
	check "no stack found an error" checksums_right t1 x1
}

# --- merging

# Whether port t1 has sent frames of on average more than $1 and at most $2
# bytes since it was added.
frames_have() {
	local size
	size=$(counter t1 'tx_bytes / .[0].tx_packets | round')
	echo "average: $size bytes; merged: $(counter t1 tx_merged)"
	[ "$size" -gt "$1" ] && [ "$size" -le "$2" ]
}

# What a host counts of segments that came too early or twice.
in_order() {
	in_ns "$1" nstat -asz --json | jq -c '.kernel |
		{TcpExtTCPOFOQueue, TcpRetransSegs, TcpExtTCPDSACKOfoSent}'
	[ "$(in_ns "$1" nstat -asz --json |
		jq '.kernel.TcpExtTCPOFOQueue')" = 0 ]
}

merges() {
	check "merging: a card's file arrives at a tap" \
		file_arrives x1 t1 20000000 10.9.0.1
	check "merging: in large frames" frames_have 3000 65549
	check "merging: of several each" [ "$(counter t1 tx_merged)" -gt 5000 ]
	check "merging: nothing overtook anything" in_order t1
	check "merging: over IPv6, too" file_arrives x1 t1 2000000 fd00::1
	check "merging: no stack found an error" checksums_right t1 x1
}

merges_not() {
	check "offload off: a card's file arrives at a tap" \
		file_arrives x1 t1 5000000 10.9.0.1
	check "offload off: in packets" frames_have 1000 1514
	check "offload off: none merged" [ "$(counter t1 tx_merged)" = 0 ]
	check "offload off: no stack found an error" checksums_right t1 x1
}

# --- MTU

too_long() {
	counter x1 drops.mtu_exceeded
}

# Whether the frame of gso_send's words $1 is refused, as one; stacks may say
# something of their own meanwhile.
is_too_long() {
	local sent before
	sent=$(counter x1 tx_packets) before=$(too_long)
	in_ns t1 "$tools/gso_send" e0 $1
	eventually 2 eval "[ \$(too_long) = $((before + 1)) ]" &&
		[ "$(counter x1 tx_packets)" -lt $((sent + 20)) ]
}

long_pings() {
	local before
	before=$(too_long)
	! in_ns t1 ping -q -c 3 -i 0.05 -W 1 -M do -s 8000 10.9.0.2 &&
		[ "$(too_long)" = $((before + 3)) ]
}

mtus() {
	check "mtu 9000: what fits passes" in_ns t1 ping -q -c 3 -i 0.05 \
		-w 5 -M do -s 1472 10.9.0.2
	check "mtu 9000: what does not is counted" long_pings
	check "mtu 9000: a large frame is as long as its segments" \
		as_the_kernel "tcp4 options 0 mss 1460" x1
	check "mtu 9000: and as its tag allows" \
		as_the_kernel "tcp4 options 0 mss 1460 vlan 10" x1
	check "mtu 9000: a byte more is too much" \
		is_too_long "tcp4 options 0 mss 1461"
	check "mtu 9000: so it is over IPv6" is_too_long "tcp6 mss 1429"
	check "mtu 9000: and of a datagram" is_too_long "udp4 mss 1473"
	check "mtu 9000: TCP finds its way" stream_is_right 10.9.0.2
}

# --- a flood

# Whether what was caught at $1 is the frame of gso_send's words $2 itself.
same_whole() {
	"$tools/gso_send" - $2 | cmp - "$T/caught.$1" && return
	"$tools/gso_send" - $2 | cut -c -200
	cut -c -200 "$T/caught.$1"
	return 1
}

floods_to() {
	inject "$1" x1 t2 t3 && same_frames x1 && same_frames t3 &&
		same_whole t2 "$1"
}

floods() {
	local words
	ns_make t2
	check "flood: another tap" tap_add t2
	check "flood: one without" tap_add t3 offload off
	for words in tcp4 tcp6 udp4 "tcp4 vlan 10" "tcp4 flags 0xd9"; do
		check "flood: everyone has it its own way: $words" \
			floods_to "$words"
	done
	check "flood: no offloads were lost" eval \
		'[ "$(counter t2 passed_through)" = 5 ] &&
		[ "$(counter t2 tx_segments)" = 0 ]'
}

ns_make s t1 t3 x1 k l
swd_in_ns s
veth_make k e0 l e0 && veth_make s px1 x1 e0 && dress x1 2 || die "no veth"
in_ns s ethtool -K px1 tx off >/dev/null &&
	in_ns k ethtool -K e0 tx off tso off gso off tx-udp-segmentation off \
		>/dev/null || die "no ethtool"

# What follows has a switch of its own, whose tap t1 has options "$@".
begin() {
	start_swd && swctl port add x1 type xdp dev px1 &&
		tap_add t1 "$@" && dress t1 1
}

check "segments: the switch starts" begin
check "segments: a tap without offloads" tap_add t3 offload off
segments
check "segments: every frame is accounted for" conserved br0
stop_swd

check "streams: the switch starts" begin
leaves_checksums
streams
check "streams: every frame is accounted for" conserved br0
stop_swd

check "merging: the switch starts" begin
merges
check "merging: every frame is accounted for" conserved br0
stop_swd

check "offload off: the switch starts" begin offload off
merges_not
check "offload off: every frame is accounted for" conserved br0
stop_swd

check "mtu 9000: the switch starts" begin mtu 9000
mtus
check "mtu 9000: every frame is accounted for" conserved br0
stop_swd

check "flood: the switch starts" begin
floods
check "flood: every frame is accounted for" conserved br0
check "tshark finds all segments right" are_right "$T/segments" 0
check "the switch ends well" stop_swd
verdict
