# SPDX-License-Identifier: BSD-2-Clause
#
# wire_check.awk - whether tshark found the frames of a wire right
#
# Reads tshark's fields, in the order of test_wire.sh, a frame a line, and as
# many as `wanted` says.  Each frame has to be as long as its headers say, with
# every checksum verified and nothing that tshark calls an error.  If `ordered`,
# every sequence number in a flow of TCP follows from the frame before, or
# repeats what was sent, and every IPv4 identification follows.  Prints what is
# wrong, and how much there was.

BEGIN {
	FS = "\t"
	ERROR = 8388608 # tshark's severities are numbers that can be compared
}

# Of two sequence numbers, how far the first is ahead.
function ahead(a, b) {
	a = (a - b + 4294967296) % 4294967296
	return a < 2147483648 ? a : a - 4294967296
}

# An identification, "0x12ab".
function number(hex, i, n) {
	for (i = 3; i <= length(hex); i++)
		n = 16 * n + index("0123456789abcdef", substr(hex, i, 1)) - 1
	return n
}

# The largest of the numbers that a frame has several of.
function largest(list, part, n, i, most) {
	n = split(list, part, ",")
	for (i = 1; i <= n; i++)
		if (part[i] + 0 > most)
			most = part[i] + 0
	return most
}

function is(layer) {
	return index(":" $3 ":", ":" layer ":")
}

# A sender that hears nothing for a while says its last words again.
function follow(new, next_seq, why) {
	new = !($12 in seq)
	next_seq = ($13 + $14 + $15 + $16) % 4294967296
	if (is("ip")) {
		if (!new && number($11) != id[$12])
			why = "identification"
		id[$12] = (number($11) + 1) % 65536
	}
	if (!new && $13 != seq[$12] && ahead(next_seq, seq[$12]) <= 0) {
		repeated += $14
		return why
	}
	if (!new && $13 != seq[$12])
		why = "sequence"
	payload += $14
	seq[$12] = next_seq
	return why
}

# What is wrong with a frame by itself, or nothing.
function verdict() {
	if (is("ip") && $4 != 1)
		return "IPv4 checksum"
	if (is("tcp") && $5 != 1)
		return "TCP checksum"
	if (is("udp") && $6 != 1)
		return "UDP checksum"
	if ($9 $10 != "")
		return "longer than its headers say"
	if (is("_ws.malformed") || largest($7) >= ERROR)
		return "tshark says " $8
	return ""
}

{
	# A reset may be of a stack that knows no flow.
	order = ordered && is("tcp") && !$17 ? follow() : ""
	why = verdict()
	if (why == "")
		why = order
	if (why != "" && n_wrong++ < 10)
		printf "frame %d of %d bytes: %s\n", $1, $2, why
}

END {
	printf "%d frames, %d wrong, %d bytes of payload, %d repeated\n",
		NR, n_wrong, payload, repeated
	exit n_wrong > 0 || NR == 0 || NR != wanted
}
