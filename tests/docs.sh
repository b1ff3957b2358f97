#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# docs.sh PAGE.scd...: whether what the docs link to is there, and the man pages can be made. Documents are
# linked to as [text](path#heading), or named as `path.md`, relative to their own folder or to the tree.
set -euo pipefail
cd "$(dirname "$0")/.."

bad=0

fault() {
	echo "$*" >&2
	bad=1
}

# linked FILE: what it links to, a line each.
linked() {
	grep -oE '\]\([^) ]+\)' "$1" | sed 's/^](//; s/)$//' | grep -vE '^[a-z]+:' || true
}

# named FILE: the documents that it names.
named() {
	# shellcheck disable=SC2016 # the backquotes of Markdown
	grep -oE '`[a-zA-Z0-9_/-]+\.md`' "$1" | tr -d '`' || true
}

# headings FILE: as links name them.
headings() {
	sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

for file in README.md docs/*.md; do
	while read -r link; do
		to=$(dirname "$file")/${link%%#*}
		[ "${link%%#*}" ] || to=$file
		if [ ! -e "$to" ]; then
			fault "$file: links to $link, which is not there"
		elif [ "$link" != "${link#*#}" ] && ! headings "$to" | grep -qxF -- "${link#*#}"; then
			fault "$file: links to $link, and there is no such heading"
		fi
	done < <(linked "$file")
	while read -r name; do
		[ -e "$name" ] || [ -e "$(dirname "$file")/$name" ] || fault "$file: names $name, which is not there"
	done < <(named "$file")
done
for file in docs/*.md; do
	grep -q "($file)" README.md || fault "README.md: has no link to $file"
done
for page; do
	words=$(scdoc <"$page" 2>&1 >/dev/null) || fault "$page: scdoc refuses it"
	[ -z "$words" ] || fault "$page: scdoc: $words"
done
exit $bad
