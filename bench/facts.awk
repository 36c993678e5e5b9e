# SPDX-License-Identifier: BSD-2-Clause
#
# facts.awk - what samples come to: medians by state, and ratios within rounds
#
#	awk -f facts.awk GOALS SAMPLES.tsv...
#
# Reads the form of samples that pairs.sh describes and prints one line, with
# tabs, for each fact: of A alone, or of A against B.
#
#	work size of state n left_out unit A A_lo A_hi B B_lo B_hi
#	ratio ratio_lo ratio_hi goal verdict shown lost_A lost_B
#
# n counts the samples, or pairs, of this state, left_out those in none.  of is
# A or A/B: each contest of the samples, and whatever the goals name.  What is
# lower and higher is the range.  A fact is shown in tables if it is of a contest of
# the samples, or of a subject that has a part in none; or if it has a goal.
# "-" is what there is none of.

function sort(a, n,    i, j, x) {
	for (i = 2; i <= n; i++) {
		x = a[i]
		for (j = i - 1; j > 0 && a[j] > x; j--)
			a[j + 1] = a[j]
		a[j + 1] = x
	}
}

# Sets mid, lo and hi to median and range of a[1..n].
function summarise(a, n) {
	sort(a, n)
	lo = a[1]
	hi = a[n]
	mid = n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
}

function summary(a, n) {
	summarise(a, n)
	return mid OFS lo OFS hi
}

# Sets goal and verdict of the median @m of @of, in state @state.
function judge(work, size, of, unit, state, m,    key) {
	key = work SUBSEP size SUBSEP of SUBSEP unit
	goal = verdict = "-"
	if (!(key in wanted))
		return
	goal = relation[key] " " wanted[key]
	if (state == "far")
		return
	if (relation[key] == "<=")
		verdict = m <= wanted[key] ? "met" : "missed"
	else
		verdict = m >= wanted[key] ? "met" : "missed"
}

# Whether tables have a row of @unit, which @of has a contest or a goal for.
function is_shown(unit, of) {
	return goal != "-" || (of && unit !~ /^\./)
}

# The samples in @state of @unit of subject @a, in all contests.
function alone(size, a, unit, state,    i, n, out, v, text, gone) {
	for (i = 1; i <= n_samples; i++) {
		if (s_size[i] != size || s_subject[i] != a ||
		    value[i, unit] == "-" || value[i, unit] == "")
			continue
		if (s_state[i] == state) {
			v[++n] = value[i, unit]
			gone += s_lost[i]
		}
		out += s_state[i] == "mixed" || s_state[i] == "busy"
	}
	if (!n)
		return
	text = summary(v, n)
	judge(work, size, a, unit, state, mid)
	print work, size, a, state, n, out + 0, unit, text, "-", "-", "-",
		"-", "-", "-", goal, verdict,
		is_shown(unit, !(a in contests)), gone + 0, "-"
}

# The rounds in @state that have samples of both @a and @b.
function against(size, of, unit, state,
		 who, i, k, n, out, a, b, va, vb, r, text, gone_a, gone_b) {
	split(of, who, "/")
	for (k = 1; k <= n_rounds; k++) {
		a = sample[rounds[k], who[1]]
		b = sample[rounds[k], who[2]]
		if (!a || !b || s_size[a] != size ||
		    (s_versus[a] != of && s_versus[a] != "-") ||
		    value[a, unit] !~ /[0-9]/ || value[b, unit] !~ /[0-9]/)
			continue
		if (s_state[a] != s_state[b] || s_state[a] == "mixed" ||
		    s_state[a] == "busy")
			out++
		if (s_state[a] != state || s_state[b] != state)
			continue
		va[++n] = value[a, unit]
		vb[n] = value[b, unit]
		r[n] = vb[n] + 0 ? va[n] / vb[n] : 0
		gone_a += s_lost[a]
		gone_b += s_lost[b]
	}
	if (!n)
		return
	text = summary(va, n) OFS summary(vb, n) OFS summary(r, n)
	judge(work, size, of, unit, state, mid)
	print work, size, of, state, n, out + 0, unit, text, goal,
		verdict, is_shown(unit, of in contests), gone_a + 0, gone_b + 0
}

# Adds @item to list[1..@n], if it is not there; returns their number.
function add(list, n, item,    i) {
	for (i = 1; i <= n; i++)
		if (list[i] == item)
			return n
	list[n + 1] = item
	return n + 1
}

function conclude_row(size, unit, state,    i) {
	for (i = 1; i <= n_of; i++)
		against(size, of[i], unit, state)
	for (i = 1; i <= n_subjects; i++)
		alone(size, subjects[i], unit, state)
}

# All facts of the samples of one file.
function conclude(    i, s, u, state) {
	if (!n_samples)
		return
	split("near far alone", state, " ")
	n_of = 0
	for (i = 1; i <= n_samples; i++)
		if (s_versus[i] != "-")
			n_of = add(of, n_of, s_versus[i])
	for (i = 1; i <= n_goals; i++)
		if (g_work[i] == work && g_of[i] ~ "/")
			n_of = add(of, n_of, g_of[i])
	for (i = 1; i <= n_sizes; i++)
		for (u = 1; u <= n_units; u++)
			for (s = 1; s <= 3; s++)
				conclude_row(sizes[i], units[u], state[s])
}

function begin_file() {
	conclude()
	work = FILENAME
	sub(/.*\//, "", work)
	sub(/\.tsv$/, "", work)
	n_samples = n_rounds = n_sizes = n_units = n_subjects = n_columns = 0
	split("", sample)
	split("", value)
	split("", contests)
}

# The columns up to "state" say what was measured, those behind it what for.
function read_header(    i) {
	n_columns = NF
	for (i = 1; i <= NF; i++)
		column[i] = $i
	for (i = 10; i <= NF; i++)
		units[++n_units] = $i
}

function read_sample(    i, round) {
	i = ++n_samples
	s_size[i] = $1
	s_subject[i] = $2
	s_versus[i] = $3
	s_lost[i] = $8
	s_state[i] = $9
	round = $1 SUBSEP $3 SUBSEP $4
	n_rounds = add(rounds, n_rounds, round)
	n_sizes = add(sizes, n_sizes, $1)
	n_subjects = add(subjects, n_subjects, $2)
	sample[round, $2] = i
	if ($3 != "-") {
		contests[$2]
		contests[$3]
	}
	for (i = 10; i <= NF; i++)
		value[n_samples, column[i]] = $i
}

BEGIN {
	FS = OFS = "\t"
}
FNR == 1 {
	n_files++
	begin_file()
}
/^#/ {
	next
}
n_files == 1 {
	key = $1 SUBSEP $2 SUBSEP $3 SUBSEP $4
	g_work[++n_goals] = $1
	g_of[n_goals] = $3
	relation[key] = $5
	wanted[key] = $6
	next
}
!n_columns {
	read_header()
	next
}
{
	read_sample()
}
END {
	conclude()
}
