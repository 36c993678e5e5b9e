# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# qmp.sh - guests that move from one QEMU to another
#
# Sourced after qemu.sh.  The QEMU of such a guest takes commands (QMP) from a
# pair of FIFOs, as the guest itself does.  A place is a vhost-user socket; a
# guest has a name for each QEMU it was in, since their FIFOs are different.
#
#	qmp_start vm1 "$T/vhost/vm1" addr=10.0.0.1/24 mac=52:54:00:00:00:99
#	guest_wait vm1
#	qmp_await vm1b "$T/vhost/vm1b" mac=52:54:00:00:00:99
#	qmp_migrate vm1 vm1b
#	guest vm1b ping -c 3 10.0.0.2

declare -A qmp_in qmp_out

# Sends command $2 with arguments $3 (JSON) to the QEMU of guest $1 and prints
# its answer.  Fails if that is an error, or there is none for ten seconds.
qmp() {
	local line='' part arguments=${3-} end=$(($(now_ms) + 10000))
	printf '{"execute": "%s", "arguments": %s}\n' "$2" \
		"${arguments:-{\}}" >&"${qmp_in[$1]}"
	while [ "$(now_ms)" -lt $end ]; do
		IFS= read -r -t 1 -u "${qmp_out[$1]}" part || {
			line+=$part
			continue
		}
		line+=$part
		case $line in
		'{"return"'*) printf '%s\n' "$line" && return ;;
		'{"error"'*) printf '%s\n' "$line" && return 1 ;;
		esac
		line=
	done
	return 1
}

# As guest_start(), with QMP.
qmp_start() {
	local name=$1 more=''
	mkfifo "$T/$name.qmp.in" "$T/$name.qmp.out" || die "mkfifo failed"
	exec {qmp_in[$name]}<>"$T/$name.qmp.in" \
		{qmp_out[$name]}<>"$T/$name.qmp.out"
	[[ ${*: -1} != more=* ]] || more=${*: -1}
	guest_start "$@" "more=-chardev pipe,id=qmp,path=$T/$name.qmp \
		-mon chardev=qmp,mode=control ${more#more=}"
	qmp "$name" qmp_capabilities >/dev/null
}

# The same for a guest that is to come from another QEMU; the last option may
# be more=-S, with which it does not go on before it is told to.
qmp_await() {
	local name=$1 more=''
	[[ ${*: -1} != more=* ]] || more=${*: -1}
	qmp_start "$@" "more=-incoming unix:$T/$name.move ${more#more=}"
}

# Moves the guest from the QEMU called $1 to that called $2, and prints what
# query-migrate says.
qmp_migrate() {
	local answer status=active end=$(($(now_ms) + 60000))
	qmp "$1" migrate-set-parameters '{"max-bandwidth": 4000000000}' \
		>/dev/null || return
	answer=$(qmp "$1" migrate "{\"uri\": \"unix:$T/$2.move\"}") || {
		echo "$answer"
		return 1
	}
	while [ "$(now_ms)" -lt $end ]; do
		answer=$(qmp "$1" query-migrate) || return
		status=$(jq -r .return.status <<<"$answer")
		case $status in
		completed) echo "$answer" && return ;;
		failed | cancelled) break ;;
		esac
		sleep 0.02
	done
	echo "$answer"
	return 1
}

# Prints the file that is the memory of the guest in the QEMU called $1.
qmp_memory() {
	local fd
	for fd in "/proc/${guest_pid[$1]}/fd"/*; do
		case $(readlink "$fd") in
		*memory-backend-memfd*) echo "$fd" && return ;;
		esac
	done
	return 1
}

# Ends the QEMU called $1.
qmp_stop() {
	exec {qmp_in[$1]}>&- {qmp_out[$1]}>&-
	guest_stop "$1"
}
