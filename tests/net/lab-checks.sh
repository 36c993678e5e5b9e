# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lab-checks.sh - what the tests ask of swd in a lab guest, and of its cards
#
# Sourced after lab.sh; the guest is called lab.  Its card h0, where it has one,
# is no port: it is the peer that the guest's own kernel reaches whenever the
# switch is gone.  The array ports has the names of the cards that are.

# What lib.sh says of the switch is asked of the one in the guest.
swctl() {
	guest -t 60 lab swctl "$@"
}

# Whether everything that labwire "$@" sends arrives once, intact and in order.
# With "astray" first, nothing may have come out of another card either.
intact() {
	local more=true
	[ "$1" != astray ] || { more='.astray == 0' && shift; }
	labwire "$@" | tee "$T/wire.json"
	jq -e "length > 0 and all(.[]; .arrived == .sent and .sent > 0 and
		.repeated == 0 and .damaged == 0 and .disordered == 0 and
		($more))" "$T/wire.json" >/dev/null
}

# Whether nothing of labwire "$@" arrives anywhere.
nothing_arrives() {
	labwire -w 500 "$@" | tee "$T/wire.json"
	jq -e 'length > 0 and all(.[]; .sent > 0 and .arrived == 0 and
		.astray == 0)' "$T/wire.json" >/dev/null
}

# Adds cards $1 (several words) as ports with options "$2".. and waits for their
# links: an igb loses its own for seconds when a program is attached, and the
# switch hears of its return a moment later.
add() {
	local cards=$1
	shift
	guest -t 60 lab "for card in $cards; do
			swctl port add \$card type xdp $* || exit 1
		done
		for card in $cards; do
			for i in \$(seq 100); do
				grep -q 1 /sys/class/net/\$card/carrier &&
					swctl -j port show \$card |
					grep -q '\"state\":\"up\"' &&
					continue 2
				usleep 100000
			done
			echo \$card has no link
			exit 1
		done"
}

delete() { # CARD...
	guest -t 60 lab "for card in $*; do
			swctl port del \$card || exit 1
		done"
}

# Whether the cards "$3".. have mode $1, and were asked for mode $2.
have_mode() {
	local mode=$1 asked=$2
	shift 2
	swctl -j port show | jq -r '.[] | "\(.name) \(.state)" +
		" \(.mode) \(.mode_asked)"' | sort | tee "$T/modes"
	printf "%s up $mode $asked\n" "$@" | sort | diff "$T/modes" -
}

# What swd and the kernel hold in common: to be the same after a refusal.
held() {
	guest -t 60 lab 'swctl -j port show; ls /proc/$(pidof swd)/fd | wc -l'
	settings
}

# refused SENTENCE HINT CARD WORDS...: `port add CARD type xdp WORDS` is refused
# and leaves the switch and the cards as they were.
refused() {
	local sentence=$1 hint=$2 card=$3 status
	shift 3
	held >"$T/held"
	swctl port add "$card" type xdp "$@" >"$T/refusal" 2>&1
	status=$?
	cat "$T/refusal"
	[ $status = 1 ] && grep -q "^Error: .*$sentence" "$T/refusal" &&
		grep -q "^Hint: .*$hint" "$T/refusal" &&
		held | diff "$T/held" -
}

# What a port must give back as it was: the features, the spread over the
# queues, the promiscuity and the number of queues of every card.
settings() {
	guest -t 60 lab "for card in ${ports[*]}; do
			echo \$card
			/bin/ip -d link show \$card |
				grep -o 'promiscuity [0-9]*\|mtu [0-9]*\|xdp'
			ethtool -k \$card; ethtool -l \$card; ethtool -x \$card
		done 2>/dev/null"
}

settings_restored() {
	settings >"$T/settings.now"
	diff "$T/settings" "$T/settings.now"
}

in_guest() { # TEXT COMMAND: the command's output has the text
	guest lab "$2" 2>&1 | tee "$T/in_guest"
	grep -q -- "$1" "$T/in_guest"
}

# Prints tx_packets and tx_copied of all ports.
sent_and_copied() {
	swctl -j -s port show | jq -r '"\(map(.tx_packets) | add) " +
		"\(map(.tx_copied) | add)"'
}

# Whether what labwire "$@" sends, between cards that know each other's
# addresses, is sent without copying a byte.
no_copies() {
	local sent0 sent1 copied0 copied1 n
	read -r sent0 copied0 < <(sent_and_copied)
	intact astray "$@" || return
	read -r sent1 copied1 < <(sent_and_copied)
	n=$(jq 'map(.sent) | add' "$T/wire.json")
	echo "sent $((sent1 - sent0)) of $n, copied $((copied1 - copied0))"
	[ $((sent1 - sent0)) = "$n" ] && [ "$copied1" = "$copied0" ]
}

# Whether the switch has learned that station $1 is behind port $2.
knows() {
	swctl -j fdb show | tee "$T/fdb.json"
	jq -e --arg mac "$1" --arg port "$2" 'any(.[]; .mac == $mac and
		.port == $port and .state == "dynamic")' "$T/fdb.json" >/dev/null
}

# The guest's kernel on card $1 and its peer on h0, which has a namespace of its
# own; a cable joins the cards outside.
prepare_peer() {
	guest lab "/bin/ip netns add peer && /bin/ip link set h0 netns peer &&
		/bin/ip -n peer addr add 10.9.0.2/24 dev h0 &&
		/bin/ip -n peer link set h0 up &&
		/bin/ip addr add 10.9.0.1/24 dev $1"
}

plug_cable() { # CARD
	start "$T/cable.log" "$BUILD/tests/net/labwire" -d "$T/wire" -c "$1" h0
	cable=$pid
}

kernel_pings() { # [ADDRESS]
	guest lab "for i in 1 2 3; do
			ping -c 1 -W 1 ${1-10.9.0.2} && exit 0
		done; exit 1"
}

# Kills swd outright and leaves in files of the guest how many hundredths of a
# second a program stays on each of the cards "$@", and how long it takes until
# the kernel's ping through the first is answered again.  What the kernel has
# concluded from the silence before is not part of it.  The times are those of
# a guest that is emulated on processors it shares, so more is granted to it
# than the second that a real machine has.
kill_swd() {
	guest -t 60 lab '
		now() { cut -d " " -f 1 /proc/uptime | tr -d .; }
		start=$(now)
		since() { echo $(($(now) - start)); }
		programmed() { /bin/ip link show $1 | grep -q xdp; }
		for card in '"$*"'; do
			programmed $card || exit 1
		done
		kill -KILL $(pidof swd)
		for card in '"$*"'; do
			while programmed $card; do
				[ $(since) -lt 1000 ] || exit 1
			done
			since >/tmp/gone.$card
		done
		[ -e /tmp/pinged ] && exit
		/bin/ip neigh flush dev '"$1"'
		ping -c 100 -i 0.1 -w 10 10.9.0.2 | grep -m 1 "bytes from" ||
			exit 1
		since >/tmp/pinged'
}

# Whether what kill_swd() left in file $1 of the guest is at most $2 hundredths.
within() {
	local hundredths
	hundredths=$(guest lab cat "/tmp/$1")
	echo "$hundredths hundredths of a second"
	[[ $hundredths =~ ^[0-9]+$ ]] && [ "$hundredths" -le "$2" ]
}

no_complaints() {
	guest lab '! dmesg | grep -E "BUG|WARNING|Oops|stall|hung|Tx Unit Hang"'
}
