# SPDX-License-Identifier: GPL-2.0-only
#
# The report of mplb-testbed: one HTML page that needs nothing beside it. Input: an array of results,
# each with "plot" (SVG text or null) and "tables" ([{title, head, body}]). `jq -r -f report.jq`.

def text: if . == null then "" elif type == "number" then (. * 1000 | round / 1000 | tostring)
	elif type == "string" then . else tojson end | @html;

def cell: "<td\(if type == "number" then " class=\"n\"" else "" end)>\(text)</td>";

def table: "<table>\(if .title then "<caption>\(.title | text)</caption>" else "" end)" +
	"<thead><tr>\(.head | map("<th scope=\"col\">\(text)</th>") | add)</tr></thead><tbody>" +
	"\(.body | map("<tr>\(map(cell) | add)</tr>") | add // "")</tbody></table>";

def mark: if .holds then "<td class=\"holds\">holds</td>" else "<td class=\"broken\">BROKEN</td>" end;

def verdicts: (map(select(.paper)) | length > 0) as $paper |
	"<table class=\"verdicts\"><thead><tr><th scope=\"col\">what must hold</th>" +
	"<th scope=\"col\">measured</th><th scope=\"col\">wanted</th>" +
	"\(if $paper then "<th scope=\"col\">the paper</th>" else "" end)<th scope=\"col\"></th></tr></thead><tbody>" +
	(map("<tr><td>\(.what | text)</td><td>\(.got | text)</td><td>\(.want | text)</td>" +
	"\(if $paper then "<td>\(.paper | text)</td>" else "" end)\(mark)</tr>") | add // "") +
	"</tbody></table>";

def anchor: .name | gsub("[^a-zA-Z0-9]"; "-");

# All rows as they were measured: columns are the scalars that any of them has. Series are in the plots.
def raw: .rows | map(walk(if type == "object" then with_entries(select(.value | type != "array")) else . end)) | map(. as $r | [paths(scalars)] | map({key: (map(tostring) | join(".")), value: (. as $p | $r | getpath($p))})
	| from_entries) | . as $flat | (map(keys_unsorted) | add // [] | reduce .[] as $k ([]; if index([$k]) then . else . + [$k] end))
	as $head | {head: $head, body: ($flat | map(. as $r | $head | map($r[.])))};

def section: "<section id=\"\(anchor)\"><h2>\(.name | text)</h2><p>\(.about | text)</p>" +
	"<p class=\"run\">\(.date | text), Linux \(.kernel | text), \(.cpus) CPUs, load \(.load_5min), \(.seconds) s; " +
	"<code>mplb-testbed run \(.scenario | text)\(.params | to_entries | map(" --\(.key) \"\(.value)\"") | add // "" | text)</code></p>" +
	(.verdicts | verdicts) +
	(if .plot then "<figure>\(.plot)</figure>" else "" end) +
	(.tables | map(table) | add // "") +
	(raw | if (.head | length) > 0 and (.head | length) <= 40 then
		"<details><summary>every row (\(.body | length))</summary><div class=\"wide\">\(table)</div></details>" else "" end) +
	"</section>";

def summary: "<table><thead><tr><th scope=\"col\">scenario</th><th scope=\"col\">verdicts that hold</th>" +
	"<th scope=\"col\">broken</th></tr></thead><tbody>" +
	(map("<tr><td><a href=\"#\(anchor)\">\(.name | text)</a></td><td class=\"n\">\(.verdicts | map(select(.holds)) | length) " +
	"of \(.verdicts | length)</td><td>\(.verdicts | map(select(.holds | not).what | text) | join("; "))</td></tr>") | add // "") +
	"</tbody></table>";

"<!DOCTYPE html>
<html lang=\"en\"><head><meta charset=\"utf-8\"><title>mplb testbed: report</title>
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<style>
body { font: 15px/1.45 sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid #ccc; }
table { border-collapse: collapse; margin: 0.8rem 0; }
caption { text-align: left; font-weight: bold; padding: 0.3rem 0; }
th, td { padding: 0.2rem 0.7rem 0.2rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #e4e4e4; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
td.holds { color: #1c7a3a; } td.broken { color: #b3261e; font-weight: bold; }
.run { color: #666; font-size: 0.9em; } code { font-size: 0.92em; }
figure { margin: 1rem 0; } figure svg { max-width: 100%; height: auto; }
.wide { overflow-x: auto; font-size: 0.85em; }
</style></head><body>
<h1>mplb testbed: report</h1>
<p>What was measured in network namespaces, with real XDP, real kernel MPTCP and real BIRD.
Each section says how to measure it again.</p>
\(summary)
\(map(section) | add // "")
</body></html>"
