#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_offloads.sh - guests that leave work to others, or do not
#
#	test_offloads.sh [some]
#
# Stock Linux guests set by `ethtool -K` what they leave undone and what they
# merge.  vm1 and vm4 have negotiated everything; vm2 takes unsummed frames but
# no large ones; vm3, at a port with `offload off`, takes neither, and leaves
# nothing undone.  What a guest has switched off the switch learns only from the
# frames it gets: after each stream the counters of the receiver's port have to
# say that the switch did what was left to be done, and no more.  Nobody's
# kernel may have found a wrong checksum.
#
# First comes a choice of senders, receivers and settings, then guests that
# change their settings, and attach XDP programs, while a stream runs.  All
# settings of vm1 together with all of vm4 are the last part, and the longest;
# "some" leaves it out, and XDP.

. "${0%/*}/lib.sh"
. "${0%/*}/qemu.sh"
require jq cpio gzip "${CC:-cc}"

# What can be switched off, and what `ethtool -k` calls it.
keys=(tx tso tx-tcp-ecn-segmentation gso gro rx-gro-hw)
declare -A feature=([tx]=tx-checksumming [tso]=tcp-segmentation-offload
	[tx-tcp-ecn-segmentation]=tx-tcp-ecn-segmentation
	[gso]=generic-segmentation-offload [gro]=generic-receive-offload
	[rx-gro-hw]=rx-gro-hw)
sending=('' tx-tcp-ecn-segmentation gso tso tso,gso tx)
taking=('' gro rx-gro-hw gro,rx-gro-hw)

declare -A takes=([vm1]=all [vm2]=sums [vm3]=nothing [vm4]=all)
declare -A is_off=() # by guest: what it has switched off

# Prints what guest $1 has not when it switches off what list $2 names: without
# checksums Linux has no large frames, nor can it cut them late.
lacks() {
	local off=,$2,
	[ "${takes[$1]}" != nothing ] || off+=tx,
	[[ $off != *,tx,* ]] || off+=tso,gso,
	[[ $off != *,tso,* ]] || off+=tx-tcp-ecn-segmentation,
	echo "$off"
}

# Has guest $1 switch off what list $2 names, and all else on; what it has then
# is in $T/$1.features.  `tso on` is for all that cuts, so ECN comes after it.
sets() {
	local off key value words='' ecn=on
	[ "${is_off[$1]-unknown}" != "$2" ] || return 0
	unset "is_off[$1]"
	off=$(lacks "$1" "$2")
	for key in "${keys[@]}"; do
		value=on
		[[ $off != *",$key,"* ]] || value=off
		case $key in
		*-ecn-*) ecn=$value ;;
		*) words+=" $key $value" ;;
		esac
	done
	guest "$1" "ethtool -K eth0 $words >/dev/null 2>&1
		[ $ecn = on ] ||
			ethtool -K eth0 tx-tcp-ecn-segmentation off >/dev/null
		ethtool -k eth0 | grep -E 'checksumming|tcp-|generic-|gro-hw' |
			tr -d '\t'" | tee "$T/$1.features"
	for key in "${keys[@]}"; do
		value=on
		[[ $off != *",$key,"* ]] || value=off
		grep -q "^${feature[$key]}: $value" "$T/$1.features" || return 1
	done
	is_off[$1]=$2
}

has() { # GUEST KEY
	grep -q "^${feature[$2]}: on" "$T/$1.features"
}

# Prints of port $1: frames sent, their bytes, those that came of cutting, and
# those that were still undone.
sent() {
	swctl -j -s port show "$1" | jq -r '.[0] |
		"\(.tx_packets) \(.tx_bytes) \(.tx_segments) \(.passed_through)"'
}

# Whether number $2, of frames that $1, is large if $3 is yes, and else 0.
amount() {
	echo "$2 frames $1; were there to be any: $3"
	if [ "$3" = yes ]; then [ "$2" -gt 10 ]; else [ "$2" = 0 ]; fi
}

# Whether the switch cut, summed and left alone what it should have of what
# guest $1 sent to guest $2, by the counters of the latter's port, $3 before and
# $4 now.
did_its_part() {
	local was now size cut=no undone=no large=no
	read -ra was <<<"$3"
	read -ra now <<<"$4"
	size=$(((now[1] - was[1]) / (now[0] - was[0])))
	if has "$1" tx && [ "${takes[$2]}" != nothing ]; then
		undone=yes
	fi
	if has "$1" tso; then
		if [ "${takes[$2]}" = all ]; then large=yes; else cut=yes; fi
	fi
	echo "average frame: $size bytes; were they to be large: $large"
	amount "came of cutting" $((now[2] - was[2])) $cut &&
		amount "were still undone" $((now[3] - was[3])) $undone &&
		if [ $large = yes ]; then
			[ $size -gt 1514 ]
		else
			[ $size -le 1514 ]
		fi
}

# Whether TCP and UDP get from guest $1 to guest $2, and the switch does its
# part.
moves() {
	local was to=10.0.0.${2#vm}
	was=$(sent "$2")
	guest -t 30 "$1" "iperf3 -n 2M -c $to | grep receiver &&
		iperf3 -u -b 8M -l 1000 -n 30K -c $to | grep receiver" &&
		did_its_part "$1" "$2" "$was" "$(sent "$2")"
}

# The same once $1 has switched off $3, and $2 has $4; and both ways.
moves_without() {
	sets "$1" "$3" && sets "$2" "$4" && moves "$1" "$2"
}
both_move_without() {
	moves_without "$@" && moves "$2" "$1"
}

# Whether no frame was refused for what was undone in it, and no kernel found
# anything wrong.
no_errors() {
	local name
	swctl -j -s port show | jq -ce 'map(.drops | .bad_csum, .bad_gso,
		.rx_malformed, .no_offload | . // 0) | add | ., . == 0' ||
		return 1
	for name in "${guests[@]}"; do
		guest_no_errors "$name" || return 1
	done
}

# Every kind of sender to every kind of receiver.
choice() {
	local from off to to_off
	while read -r from off to to_off; do
		check "$from without $off, to $to without $to_off" \
			moves_without "$from" "$to" "${off#-}" "${to_off#-}"
	done <<-END
		vm2 - vm1 -
		vm2 tso vm1 rx-gro-hw
		vm2 tso,gso vm1 gro,rx-gro-hw
		vm2 tx vm1 gro
		vm1 gso vm2 -
		vm1 tso,gso vm2 gro
		vm1 tx vm2 -
		vm1 tx-tcp-ecn-segmentation vm3 -
		vm1 tso vm3 gro
		vm2 tx vm3 gro
		vm3 - vm1 rx-gro-hw
	END
}

# All settings of vm1 with all of vm4.
matrix() {
	local tx rx here there states=()
	for tx in "${sending[@]}"; do
		for rx in "${taking[@]}"; do
			states+=("$tx${tx:+${rx:+,}}$rx")
		done
	done
	for here in "${states[@]}"; do
		for there in "${states[@]}"; do
			check "vm1 without ${here:--}, vm4 without ${there:--}" \
				both_move_without vm1 vm4 "$here" "$there"
		done
		check "no errors until here" no_errors
	done
}

# --- under way

# Starts a stream both ways between guests $1 and $2.
stream_begin() {
	guest "$1" "iperf3 --bidir -i 0.2 -t 100 --forceflush \
		-c 10.0.0.${2#vm} >>/tmp/stream 2>&1 & echo \$! >/tmp/iperf.pid"
	stream_flows "$1"
}

# Whether guest $1's stream goes on from here, in both directions, twice.
stream_flows() {
	guest "$1" ': >/tmp/stream' && eventually 10 stream_moves "$1"
}

stream_moves() {
	local way
	guest "$1" cat /tmp/stream >"$T/stream"
	for way in TX RX; do
		[ "$(grep "$way-C" "$T/stream" | grep -vc " 0.00 Bytes")" -ge 2 ] ||
			return 1
	done
}

stream_end() {
	cat "$T/stream"
	guest "$1" 'kill $(cat /tmp/iperf.pid)'
}

# A stream between guests $1 and $2, both of which change all they can.
changes() {
	local off
	stream_begin "$1" "$2" || return 1
	for off in gro,rx-gro-hw tso,gso '' tx gro; do
		sets "$1" "$off" && sets "$2" "$off" || return 1
	done
	stream_flows "$1" && stream_end "$1"
}

xdp_begin() { # GUEST
	guest "$1" 'xdp_pass eth0 >/tmp/xdp 2>&1 & echo $! >/tmp/xdp.pid'
	eventually 5 guest "$1" 'grep attached /tmp/xdp'
}

xdp_end() { # GUEST
	guest "$1" 'kill $(cat /tmp/xdp.pid)'
}

# To a guest that gets finished frames a program makes no difference.
xdp_without_offloads() {
	sets vm1 '' && stream_begin vm1 vm3 && xdp_begin vm3 &&
		stream_flows vm1 && xdp_end vm3 &&
		stream_flows vm1 && stream_end vm1
}

xdp_drops() { # GUEST
	guest "$1" ethtool -S eth0 | sed -n 's/.*rx_queue_0_drops: *//p'
}

# Else the guest itself drops what is undone, as long as the program runs: large
# frames by the driver, unsummed ones there or, by older kernels, as damaged.  A
# stream waits, and goes on; what is finished passes.
xdp_with_offloads() {
	local before
	before=$(xdp_drops vm1)
	sets vm2 '' && stream_begin vm2 vm1 && xdp_begin vm1 &&
		guest vm2 ping -q -c 3 -i 0.1 -w 5 10.0.0.1 &&
		[ "$(xdp_drops vm1)" -gt "$before" ] && xdp_end vm1 &&
		stream_flows vm2 && stream_end vm2
}

# --- all of it

# Adds the ports, and boots a guest at each.
begin() {
	local name dev port
	"${CC:-cc}" -O2 -o "$T/xdp_pass" "$ROOT/tests/net/xdp_pass.c" &&
		guest_add "$T/xdp_pass" || return 1
	for name in "${guests[@]}"; do
		dev='' port=()
		[ "${takes[$name]}" != nothing ] || port=(offload off)
		[ "${takes[$name]}" != sums ] ||
			dev=guest_tso4=off,guest_tso6=off,guest_ecn=off
		swctl port add "$name" type vhost-user "${port[@]}" || return 1
		guest_start "$name" "$T/vhost/$name" \
			"addr=10.0.0.${name#vm}/24" "dev=$dev"
	done
}

# All of them ask for ECN, so that whole streams have it.
all_ready() {
	local name
	for name in "${guests[@]}"; do
		guest_wait "$name" && guest "$name" 'iperf3 -s -D >/dev/null
			echo 1 >/proc/sys/net/ipv4/tcp_ecn' &&
			sets "$name" '' || return 1
	done
}

case ${1-all} in
some) guests=(vm1 vm2 vm3) ;;
all) guests=(vm1 vm2 vm3 vm4) ;;
*) die "there is no part $1" ;;
esac
guest_prepare
check "the switch starts" start_swd
begin || die "no guests"
check "all guests boot" all_ready
choice
check "settings change under way" changes vm2 vm1
check "also where the switch completes all" changes vm1 vm3
if [ ${#guests[@]} = 4 ]; then
	check "XDP, without offloads: a stream goes on" xdp_without_offloads
	matrix
fi
check "no errors" no_errors
if [ ${#guests[@]} = 4 ]; then
	check "XDP, with offloads: a stream waits" xdp_with_offloads
fi
check "every frame is accounted for" conserved br0
check "the switch ends well" stop_swd
verdict
