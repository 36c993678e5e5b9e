#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# demo.sh - two virtual machines talk through a switch that dies and returns
#
# What `make demo` runs: from a bare Debian machine to a conversation, telling
# what it does and showing the very commands a reader would type.  Everything
# lives in one temporary directory and ends with the script, however it ends.

. "${0%/*}/lib.sh"
. "${0%/*}/qemu.sh"
set -o pipefail
began=$(now_ms)
trap 'printf "\n\nInterrupted; cleaning up.\n"; exit 130' INT

bold='' dim='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
	bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'
fi

# Opens chapter $1.
chapter() {
	printf '\n%s%s%s\n\n' "$bold" "$1" "$plain"
}

say() {
	printf '    %s\n' "$@"
}

# Shows the command line $2 at the prompt of machine $1.
prompt() {
	printf '    %s%s$%s %s\n' "$dim" "$1" "$plain" "$2"
}

indent() {
	sed -u 's/^/    /'
}

# The switch died or refused: says so with the end of its log.
failed() {
	printf '\n%s\n' "$*"
	tail -qn 5 "$T/swd.log" "$T"/vm?.log 2>/dev/null | indent
	exit 1
}

# Runs swctl "$@", showing the command and, if there is one, the answer.
show() {
	prompt "" "swctl $*"
	swctl "$@" >"$T/answer" || failed "swctl $* did not succeed."
	[ ! -s "$T/answer" ] || { indent <"$T/answer" && echo; }
}

# Shows a command in guest $1, and what comes of it.
inside() {
	prompt "$1" "$2"
	guest -t 60 "$1" "$2" | grep -v '^$' | indent ||
		failed "The command in $1 did not succeed."
	echo
}

# Prints the tenths of a second since $1.
since() {
	local ms=$(($(now_ms) - $1))
	echo "$((ms / 1000)).$((ms % 1000 / 100))"
}

build() {
	chapter "1  What it needs"
	"$ROOT/tests/net/install.sh" demo 2>&1 | indent || exit 1
	say "Every Debian package is here."
	make -C "$ROOT" -j "$(nproc)" BUILD="$BUILD" >"$T/make.log" 2>&1 || {
		tail -n 20 "$T/make.log"
		die "the build failed"
	}
	say "build/swd and build/swctl are built."
	guest_prepare
	say "A small Linux for the guests is made: kernel, busybox, iperf3."
}

open_switch() {
	chapter "2  A switch with two ports"
	prompt "" "swd -r $T &"
	start_swd || failed "The switch did not start."
	show port add vm1 type vhost-user
	show port add vm2 type vhost-user
	show config save "$T/saved.conf"
}

boot_guests() {
	local t vm how="emulated: no KVM works here"
	[ $guest_accel = tcg ] || how="with KVM"
	chapter "3  Two virtual machines"
	t=$(now_ms)
	say "QEMU boots vm1 (10.0.0.1) and vm2 (10.0.0.2), $how."
	for vm in 1 2; do
		guest_start "vm$vm" "$T/vhost/vm$vm" addr="10.0.0.$vm/24"
	done
	for vm in 1 2; do
		guest_wait "vm$vm" || failed "vm$vm did not boot."
	done
	say "Linux $(guest vm1 uname -r) is up in both after $(since "$t") s."
	echo
}

talk() {
	guest vm2 'iperf3 -s -D >/dev/null; sleep 0.3'
	inside vm1 "ping -c 3 10.0.0.2"
	inside vm1 "iperf3 -f m -t 3 -c 10.0.0.2 | grep receiver"
	inside vm1 "iperf3 -f m -t 3 -R -c 10.0.0.2 | grep receiver"
	[ $guest_accel = kvm ] ||
		say "Emulated processors are slow; this is no benchmark."
}

look() {
	local taken accounted
	chapter "4  What the switch knows"
	show show
	show fdb show
	show -s port show
	read -r taken accounted < <(balance br0)
	say "Frames taken in, and copies made of floods: $taken" \
		"Frames sent, or dropped for a counted reason: $accounted"
}

# Kills the switch, and starts it again a second later.
die_and_return() {
	stop_swd KILL
	died=$(now_ms)
	say "${bold}swd is killed with SIGKILL.$plain"
	sleep 1
	say "${bold}One second later: swd -c saved.conf$plain"
	start_swd -c "$T/saved.conf" || failed "The switch did not return."
}

# Prints the guest's ping line by line; after the fourth the switch dies.
watch_ping() {
	local n=0 died='' line
	while IFS= read -r line; do
		[ -n "$line" ] || continue
		say "$line"
		case $line in
		*seq=*)
			n=$((n + 1))
			if [ $n = 4 ]; then
				die_and_return
			elif [ $n = 5 ]; then
				say "${bold}Answered again $(since \
					"$died") s after the kill.$plain"
			fi
			;;
		*transmitted*) totals=$line ;;
		esac
	done < <(guest -t 60 vm1 "ping -c 16 -i 0.5 10.0.0.2")
}

survive() {
	local totals='' sent got
	chapter "5  The switch dies, the machines do not notice much"
	prompt vm1 "ping -c 16 -i 0.5 10.0.0.2"
	watch_ping
	read -r sent got < <(sed -n \
		's/^\([0-9]*\) packets transmitted, \([0-9]*\) .*/\1 \2/p' \
		<<<"$totals")
	[ "${got:-0}" -gt 4 ] || failed "The ping did not go on."
	echo
	say "Of $sent pings, $((sent - got)) lost.  QEMU reconnected by itself," \
		"and what the guests sent meanwhile waited in their rings."
	echo
	show fdb show
}

close_all() {
	guest_stop vm1
	guest_stop vm2
	stop_swd || failed "The switch did not end well."
	printf '%sDone in %s s; nothing is left running.%s\n\n' \
		"$bold" "$(since "$began")" "$plain"
	cat <<-END
	What to try next:

	    build/swd -r /tmp/swd &
	    export SWD_SOCKET=/tmp/swd/swd.sock
	    build/swctl port add vm1 type vhost-user
	    build/swctl port show vm1 --qemu     what to tell QEMU
	    build/swctl monitor                  watch what happens
	    build/swctl help                     and everything else

	    make check                           run the tests
	    README.md                            libvirt, numbers, limits

	END
}

printf '%sswd: two virtual machines, one switch%s\n' "$bold" "$plain"
build
open_switch
boot_guests
talk
look
survive
close_all
