# SPDX-License-Identifier: BSD-2-Clause
#
# style.gnuplot - what all plots look like: no background and a middle grey for
# text, so that a page may be light or dark.

set terminal svg size 760,400 dynamic font "sans-serif,14" linewidth 1.4
set encoding utf8
set termoption enhanced
grey = "#7d8590"
set border 3 linecolor rgb grey linewidth 0.7
set tics nomirror scale 0.5 textcolor rgb grey
set xlabel textcolor rgb grey
set ylabel textcolor rgb grey
set title textcolor rgb grey font ",15"
set key textcolor rgb grey outside top center horizontal Left reverse \
	samplen 1.5 width 2
set grid ytics linecolor rgb "#b07d8590" linewidth 0.6 dashtype solid
set style line 1 linecolor rgb "#3a86d4" linewidth 1.7 pointtype 7 pointsize 0.6
set style line 2 linecolor rgb "#e07b39" linewidth 1.7 pointtype 7 pointsize 0.6
set style line 3 linecolor rgb "#2fa36b" linewidth 1.7 pointtype 7 pointsize 0.6
set style line 4 linecolor rgb "#a678c8" linewidth 1.7 pointtype 7 pointsize 0.6
set style line 5 linecolor rgb "#c9a227" linewidth 1.7 pointtype 7 pointsize 0.6
set style line 9 linecolor rgb grey linewidth 0.8
set pointintervalbox 0
set errorbars 0.6
set style fill solid 0.9 noborder
set datafile separator "\t"
set datafile missing "-"
