#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_old_kernel.sh - cards and the host on the oldest kernel that is promised
#
# Linux 6.1, Debian 12's own, in a lab guest.  Its virtio does no zero-copy, and
# it knows neither frames of several buffers (6.6) nor checksums left to a card
# (6.8) nor UDP segmentation by a tap (6.2): what swd does without each of them
# is looked at here.  Two cards are ports.  A third is the peer that the guest's
# own kernel reaches, either through the switch by way of a tap, or directly
# when the switch is gone; nobody but the peer's kernel looks at the checksums
# of what it receives.

. "${0%/*}/lib.sh"
. "${0%/*}/qemu.sh"
. "${0%/*}/lab.sh"
. "${0%/*}/lab-checks.sh"
require jq

ports=(c0 c1)

checksums_by_switch() {
	swctl -j port show | jq -ce 'map({name, tx_checksum})
		| ., (length == 2 and all(.[]; .tx_checksum == "switch"))'
}

set_mtu() { # MTU
	guest lab "for i in ${ports[*]}; do /bin/ip link set \$i mtu $1; done"
}

# Adds the cards with mode $1, of which mode $2 comes, and sends frames of up to
# $3 bytes.
carries() {
	add "${ports[*]}" mode "$1" && have_mode "$2" "$1" "${ports[@]}" &&
		intact -n 200 -s 60 c0:c1 c1:c0 &&
		intact -n 200 -s "$3" c0:c1 c1:c0 && conserved br0
}

tap_add() {
	guest lab 'swctl port add host0 type tap &&
		/bin/ip addr add 10.9.1.1/24 dev host0 &&
		/bin/ip link set host0 up &&
		/bin/ip -n peer addr add 10.9.1.2/24 dev h0
		for i in $(seq 100); do
			swctl -j port show host0 | grep "\"state\":\"up\"" &&
				exit 0
			usleep 50000
		done; exit 1'
}

# The kernel refuses an offload that it does not know, together with the others.
offloads_but_uso() {
	swctl -j port show host0 | jq -ce '.[0] | {offload, offloads} | .,
		(.offload and .offloads == ["csum", "tso4", "tso6", "ecn"])'
}

# Something to fetch by TCP, served on both sides.
serve() {
	guest lab 'mkdir /tmp/www && head -c 2000000 /dev/urandom >/tmp/www/file
		httpd -h /tmp/www && /bin/ip netns exec peer httpd -h /tmp/www'
}

# Fetches the file from address $1, by way of the command "$2"..
fetched() {
	local from=$1
	shift
	guest -t 60 lab "$* wget -q -O /tmp/got http://$from/file &&
		cmp /tmp/got /tmp/www/file"
}

# Whether $2 of port $1 is above zero.
counts() {
	swctl -j -s port show "$1" | jq -e ".[0].$2 | ., . > 0"
}

# Whether neither the guest's kernel nor its peer has received a wrong checksum,
# but a good many right ones.
checksums_right() {
	guest lab 'cat /proc/net/snmp
		/bin/ip netns exec peer cat /proc/net/snmp' |
		awk '/^Tcp: [^0-9]/ { for (i in at) delete at[i]
				for (i = 1; i <= NF; i++) at[$i] = i }
		/^Tcp: [0-9]/ { seen++
			print $at["InSegs"], "segments,", $at["InCsumErrors"], "wrong"
			if ($at["InSegs"] < 20 || $at["InCsumErrors"]) bad = 1 }
		END { exit bad || seen != 2 }'
}

lab_prepare
for card in "${ports[@]}" h0; do
	lab_card "$card" plain
done
lab_start lab old
check "the guest boots" lab_wait lab
[ "$n_failed" = 0 ] || verdict
check "its kernel is 6.1" in_guest '^6\.1\.' 'uname -r'
check "without the switch nothing is forwarded" nothing_arrives c0:c1 c1:c0
settings >"$T/settings"

check "the switch starts" lab_swd lab -w 0-1
check "zero-copy is refused" refused \
	'c0 does not hand over frames without a copy' '`mode auto`' \
	c0 mode zerocopy
check "auto obtains native, which carries" carries auto native 1514
check "the switch completes checksums" checksums_by_switch
check "a station is learned" knows 02:01:63:30:00:00 c0
check "no byte is copied between cards" no_copies -n 200 c0:c1 c1:c0
check "the cards are deleted" delete "${ports[@]}"
check "every card is as it was" settings_restored
check "generic carries" carries generic generic 1514
check "generic: deleted" delete "${ports[@]}"

check "MTU 9000" set_mtu 9000
for mode in auto generic; do
	check "MTU 9000: refused, mode $mode" refused \
		'c0 does not hand over frames .* in several buffers, as its MTU' \
		'ip link set dev c0 mtu 3480' c0 mode $mode
done
check "MTU 9000: refused, mode native" refused \
	'c0 runs no XDP program in its driver' 'ip link set dev c0 mtu 3480' \
	c0 mode native
check "the MTU of the hint" set_mtu 3480
check "the MTU of the hint: carries" carries native native 3494
check "the MTU of the hint: deleted" delete "${ports[@]}"
check "MTU 1500" set_mtu 1500
check "every card is as it was, MTU too" settings_restored

plug_cable c0
check "the kernel has a peer" prepare_peer c0
check "the kernel reaches it" kernel_pings
check "cards become ports again" add "${ports[*]}"
check "the kernel does not reach its peer through a port" \
	eval '! kernel_pings'
check "a tap" tap_add
check "tap: offloads without USO" offloads_but_uso
check "tap: the kernel reaches its peer through it" kernel_pings 10.9.1.2
check "tap: the kernel leaves checksums to it" \
	in_guest 'tx-checksumming: on' 'ethtool -k host0'
check "tap: there is something to fetch" serve
check "tap: TCP to the card" fetched 10.9.1.1 /bin/ip netns exec peer
check "tap: what is large was cut" counts c0 tx_segments
check "tap: TCP from the card" fetched 10.9.1.2
check "tap: what was small was merged" counts host0 tx_merged
check "tap: checksums are right" checksums_right
check "tap: every frame is accounted for" conserved br0

check "the switch is killed" kill_swd c0 c1
check "no program on c0 any more" within gone.c0 300
check "no program on c1 any more" within gone.c1 300
check "the kernel reaches its peer again" within pinged 600
check "the tap is gone" eval '! guest lab /bin/ip link show host0'
check "a killed switch leaves no program or promiscuity" settings_restored
stop "$cable"

check "the switch starts again" lab_swd lab -w 0-1
check "after the kill, frames" carries auto native 1000
check "the kernel does not complain" no_complaints
[ "$n_failed" = 0 ] || guest lab tail -n 20 /tmp/swd.log >"$T/swd.log"
verdict
