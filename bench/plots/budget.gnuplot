# SPDX-License-Identifier: BSD-2-Clause
#
# budget.gnuplot - where the cycles of a frame go, by stage
#
# Data: position, label, cycles in rx, forward, tx and done.

load "style.gnuplot"
set title "Cycles of one frame from guest to guest, by stage, with warm caches"
set ylabel "cycles a frame"
set yrange [0:*]
stats data using 1 nooutput
set xrange [-0.5:STATS_max + 0.5]
set xtics scale 0
set bmargin 4.6
set boxwidth 0.6
least = 9 # cycles that have room for a number
stage(n) = word("rx forward tx done", n)
# The highest stage first: each box is drawn over the foot of the one before.
plot for [k = 6:3:-1] data using 1:(sum [j = 3:k] column(j)):xtic(2) \
	with boxes linestyle k - 2 title stage(k - 2), \
	for [k = 3:5] data using 1:((sum [j = 3:k] column(j)) - column(k) / 2.0): \
	(column(k) < least ? "" : sprintf("%.0f", column(k))) with labels \
	textcolor rgb "white" font ",12" notitle, \
	data using 1:(sum [j = 3:6] column(j)):(sprintf("%.0f", \
	sum [j = 3:6] column(j))) with labels offset 0, 0.6 \
	textcolor rgb grey notitle
