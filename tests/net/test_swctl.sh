#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# test_swctl.sh - swctl's words, errors, exit statuses and JSON
#
# First without a switch, where everything about words is known already, then
# against one with null ports and vhost-user ports that nobody connects to.
. "${0%/*}/lib.sh"
require jq
[ -x "$SWCTL" ] || die "$SWCTL is missing; run make"

# exits STATUS WORDS...: swctl does, with no more on stdout than it should.
exits() {
	local want=$1 got
	shift
	swctl "$@" >"$T/out" 2>"$T/err"
	got=$?
	cat "$T/out" "$T/err"
	echo "status $got, wanted $want"
	[ "$got" = "$want" ]
}

# says STATUS PATTERN WORDS...: the sentence on stderr has PATTERN.
says() {
	local status=$1 pattern=$2
	shift 2
	exits "$status" "$@" && grep -qE -- "$pattern" "$T/err"
}

# prints PATTERN WORDS...: done, and stdout has PATTERN.
prints() {
	local pattern=$1
	shift
	exits 0 "$@" && grep -qE -- "$pattern" "$T/out"
}

silent() {
	exits 0 "$@" && [ ! -s "$T/out" ] && [ ! -s "$T/err" ]
}

# json FILTER WORDS...: done, and jq's FILTER holds of the array printed.
json() {
	local filter=$1
	shift
	exits 0 -j "$@" && jq -e "type == \"array\" and ($filter)" "$T/out"
}

# json_error STATUS FILTER WORDS...: FILTER holds of the error printed.
json_error() {
	local status=$1 filter=$2
	shift 2
	exits "$status" -j "$@" && [ ! -s "$T/err" ] &&
		jq -e ".error | $filter" "$T/out"
}

# batch STATUS PATTERN LINE...: of a batch read from a file.
batch() {
	local status=$1 pattern=$2
	shift 2
	printf '%s\n' "$@" >"$T/batch"
	exits "$status" -b "$T/batch" &&
		{ [ -z "$pattern" ] || grep -qE -- "$pattern" "$T/err"; }
}

# --- without a switch

check "the version" prints '^swctl [0-9]' -V
check "help" prints 'Usage: swctl \[OPTIONS\] OBJECT' help
check "-h is help" prints 'Objects:' -h
for object in bridge port fdb worker stats config monitor show; do
	check "help for $object" prints "Usage: swctl $object" $object help
done
check "help for a command" prints 'queues N' port add help
check "help for an abbreviation" prints 'port add NAME' p a help

check "no switch is status 3 with a hint" \
	says 3 '^Hint: start swd' port show
check "no switch, as JSON" \
	json_error 3 '.name == "ENOENT" and .message and .hint' port show
check "\$SWD_SOCKET names the socket" env SWD_SOCKET="$T/other" \
	bash -c '"$1" show 2>&1 | grep -q "$2"' - "$SWCTL" "$T/other"
check "a socket's name that is too long" \
	says 2 'longer than 107' -S "/$(printf '%0200d' 0)" show

check "unknown object" says 2 '^Hint: did you mean "port"' prot show
check "unknown command" says 2 'unknown port command "frob"' port frob
check "unknown keyword" \
	says 2 '^Hint: did you mean "queues"' port add a type vhost-user queuse 2
check "unknown type lists the known" \
	says 2 'type "veth" is not a known type: vhost-user, xdp, tap, pipe, null' \
	port add a type veth
check "out of range" says 2 'queues "65" is not a number from 1 to 64' \
	port add a type vhost-user queues 65
check "missing value" says 2 'vlan needs a value: VID' port set a vlan
check "missing name" says 2 'port add needs a NAME' port add
check "missing type" says 2 'port add needs type TYPE' port add a
check "hostile name" says 2 'name "a\?\[31m' port add $'a\e[31m' type null
check "another type's option" says 2 'queues is not an option of a null port' \
	port add a type null queues 2
check "what cannot be changed" says 2 'queues of a port cannot be changed' \
	port set a queues 2
check "unknown option" says 2 'unknown option -x' -x
check "option without value" says 2 'a value is missing after -S' -S
check "wrong words as JSON" \
	json_error 2 '.name == "EINVAL" and .arg == "vlan"' port set a vlan 0
check "batch names the line" batch 2 'batch:2: unknown object "prot"' \
	'# a comment' 'prot show'
check "batch file that is not there" \
	says 2 'cannot read .*: No such file' -b "$T/none"
check "nothing in a batch" batch 0 '' '' '  # nothing'

# --- with one

start_swd || die "swd does not start: $(tail -n 3 "$T/swd.log")"

check "br0 exists" json 'any(.name == "br0")' bridge show
check "no words is the picture" prints '^br0'
check "the picture as JSON" json '.[0] | .bridges and .ports and .workers' show
check "add says nothing" silent port add p0 type null
check "add with -j is an array" json 'true' port add p1 type null
check "adding twice is refused" says 1 'p0' port add p0 type null
check "adding twice, as JSON" json_error 1 \
	'.name == "EEXIST" and .arg == "p0"' port add p0 type null
check "--may-exist" silent port add p0 type null --may-exist
check "--may-exist before the words" silent --may-exist port add p0 type null
check "--if-exists" silent port del nobody --if-exists
check "deleting nobody" json_error 1 '.name == "ENOENT"' port del nobody
check "abbreviations" json 'map(.name) == ["p0","p1"]' p sh
check "one port" json 'length == 1 and .[0].name == "p1"' port show p1
check "flat keys of a port" json '.[0] | .type == "null" and .bridge == "br0"
	and has("state") and has("mtu") and has("queues")' port show p0
check "no counters without -s" json '.[0] | has("rx_packets") | not' \
	port show p0
check "counters with -s" json '.[0] | (.rx_packets | type) == "number" and
	has("tx_bytes") and has("rx_dropped") and (.drops | type) == "object"' \
	-s port show p0
check "text" prints '^p0: type null bridge br0 state' port show
check "one line" prints '^p0: .*\\ +' -o port show p0
check "set" silent port set p0 learning off mcast-flood off
check "set is seen" prints 'port add p0 type null.* learning off' config show
check "set down" silent port set p1 state down
check "down is seen" json '.[0].state == "down"' port show p1

check "bridge add" silent bridge add br1 ageing 10
check "bridge set" silent bridge set br1 ageing 20
check "bridge is seen" json 'any(.name == "br1" and .ageing == 20)' bridge show
check "port on it" silent port add p2 type null bridge br1
check "bridge filter" json 'map(.name) == ["p2"]' port show bridge br1

check "fdb add" silent fdb add 52:54:00:00:00:01 port p0
check "fdb show" json '.[0] | .mac == "52:54:00:00:00:01" and .port == "p0"
	and .bridge == "br0" and .state == "static" and has("age")' \
	fdb show 52:54:00:00:00:01
check "fdb add of a group address" \
	says 2 'one station' fdb add 01:00:5e:00:00:01 port p0
check "fdb del" silent fdb del 52:54:00:00:00:01
check "fdb del again" exits 1 fdb del 52:54:00:00:00:01
check "fdb flush" exits 0 fdb flush port p0
check "fdb is empty" json 'length == 0' fdb show

check "worker" json '.[0] | has("id") and has("cpu") and has("busy") and
	(.queues | type) == "array" and has("state")' worker show
check "worker set" silent worker set spin never balance on threshold 30
check "worker set of one" silent worker set 0 spin always
check "what it is set to" json '.[0].spin == "always"' worker show 0
check "balance of one worker" \
	says 1 'no option of one worker' worker set 0 balance on
check "a setting that there is not" says 2 'always' worker set spin often
check "what is set is shown as lines" prints \
	'^worker set spin never balance on threshold 30' config show
check "worker balance" json '.[0].id == "all" and .[0].balance == true and
	.[0].moves == 0 and (.[1].queues | type) == "array"' worker balance
check "worker set back" silent worker set spin default balance off threshold 25
check "worker set back of one" silent worker set 0 spin default
check "stats" json 'any(.name == "p0")' stats
check "stats of one" json 'length == 1' stats p0

check "vhost-user port" silent port add vm1 type vhost-user queues 2
check "its socket" json '.[0].socket | endswith("/vhost/vm1")' port show vm1
check "it waits" json '.[0].state == "wait"' port show vm1
check "arguments for QEMU" \
	prints 'path=.*/vhost/vm1,reconnect=1' port show vm1 --qemu
check "two queues for QEMU" prints 'mq=on,vectors=6' port show vm1 --qemu
check "XML for libvirt" prints "<driver queues='2'/>" port show vm1 --libvirt
check "null is not for QEMU" says 2 'not for a machine' port show p0 --qemu

check "batch" batch 0 '' 'port add b1 type null' '' \
	'port add b2 type null  # second' 'port del b2'
check "batch from standard input" bash -c '
	echo "port del b1" | "$1" -S "$2" -b -' - "$SWCTL" "$T/swd.sock"
check "batch stops at the first error" batch 1 'batch:2: .*p0' \
	'port add c1 type null' 'port add p0 type null' 'port add c2 type null'
check "what came before it is done" json 'any(.name == "c1")' port show
check "what came after is not" json 'all(.name != "c2")' port show
check "batch as JSON" bash -c '
	printf "port show\nbridge show\n" | "$1" -j -S "$2" -b - |
		jq -es "length == 2"' - "$SWCTL" "$T/swd.sock"

# Configuration: what is saved brings back what was there.
saved_is_shown() {
	swctl config show >"$T/shown" && diff "$T/shown" "$T/saved"
}
check "config save" silent config save "$T/saved"
check "saved is shown" saved_is_shown
check "saving keeps the mode" bash -c 'chmod 600 "$1" &&
	"$2" -S "$3" config save "$1" && [ "$(stat -c %a "$1")" = 600 ]' \
	- "$T/saved" "$SWCTL" "$T/swd.sock"
check "no remains of saving" bash -c '! ls "$1".?*' - "$T/saved"
check "saving nowhere" says 2 'cannot write' config save "$T/none/file"
check "a change" silent port del vm1
check "config apply" exits 0 config apply "$T/saved"
check "applied is shown" saved_is_shown
check "config apply from standard input" bash -c '
	"$1" -S "$2" config apply - <"$3"' - "$SWCTL" "$T/swd.sock" "$T/saved"
check "apply refuses all of a wrong file" bash -c '
	printf "port add d1 type null\nport add d2 type nil\n" >"$3" &&
	! "$1" -S "$2" config apply "$3" 2>"$3.err" && grep 2 "$3.err" &&
	! "$1" -S "$2" port show d1' - "$SWCTL" "$T/swd.sock" "$T/wrong"
check "apply of no file" says 2 'cannot read' config apply "$T/none"

# Events.
event_seen() {
	grep -q "$1" "$T/events"
}
watch_and_add() {
	start "$T/events" "$SWCTL" -S "$T/swd.sock" -j monitor port
	local monitor=$pid
	eventually 5 add_until_seen
	local status=$?
	stop "$monitor"
	jq -es 'any(.[0].object == "port" and .[0].event == "add" and
		(.[0].time != null))' "$T/events" && return $status
}
add_until_seen() {
	swctl port del e1 --if-exists
	swctl port add e1 type null
	sleep 0.1
	event_seen '"e1"'
}
check "monitor prints events" watch_and_add

check "completion asks the switch for names" bash -c '
	[ -x "$1/docgen" ] || exit 0
	source <("$1/docgen" completion.bash) || exit 1
	swctl_bin=$2 socket=$3
	swctl() { "$swctl_bin" -S "$socket" "$@"; }
	COMP_WORDS=(swctl port show p) COMP_CWORD=3
	_swctl
	[[ " ${COMPREPLY[*]} " == *" p0 "* ]]' \
	- "$BUILD" "$SWCTL" "$T/swd.sock"

stop_swd
check "the switch has left" says 3 'cannot reach|nobody listens' show
verdict
