# shellcheck shell=bash disable=SC2207
# SPDX-License-Identifier: GPL-2.0-only
# bash completion for lbctl: commands and their words as `lbctl help` lists them, backends and pools as
# they are in force.

# Names in the JSON that `lbctl -j show OBJECT` prints: the values of KEY.
_lbctl_names() {
	lbctl -j show "$1" 2>/dev/null | grep -o "\"$2\": *\"[^\"]*\"" | cut -d'"' -f4
}

_lbctl() {
	local word=$2 before=$3 command='' i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--pin-dir | --socket) i=$((i + 1)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	case $before in
	--pin-dir) COMPREPLY=($(compgen -d -- "$word")) && return ;;
	--socket) COMPREPLY=($(compgen -f -- "$word")) && return ;;
	esac
	case $command:$before in
	:* | help:help)
		COMPREPLY=($(compgen -W "$(lbctl help 2>/dev/null |
			sed -n '3,/^$/s/^  \([a-z]*\) .*/\1/p')" -- "$word"))
		[ -n "$command" ] || COMPREPLY+=($(compgen -W "-j -v --pin-dir --socket --version" \
			-- "$word"))
		;;
	attach:attach | explain:dev) COMPREPLY=($(compgen -W "$(ls /sys/class/net)" -- "$word")) ;;
	attach:mode) COMPREPLY=($(compgen -W "native generic auto" -- "$word")) ;;
	attach:*) [ "${COMP_WORDS[COMP_CWORD - 2]}" = mode ] || COMPREPLY=($(compgen -W mode -- "$word")) ;;
	detach:detach) COMPREPLY=($(compgen -W "$(_lbctl_names attach device) all" -- "$word")) ;;
	check:check | apply:apply) COMPREPLY=($(compgen -f -- "$word")) ;;
	drain:drain | undrain:undrain | weight:weight)
		COMPREPLY=($(compgen -W "$(_lbctl_names backend name)" -- "$word"))
		;;
	settle:settle) COMPREPLY=($(compgen -W "$(_lbctl_names pool name)" -- "$word")) ;;
	explain:explain) COMPREPLY=($(compgen -W "tcp udp" -- "$word")) ;;
	*) # the words and options that its first line of help has in brackets
		COMPREPLY=($(compgen -W "$(lbctl help "$command" 2>/dev/null |
			sed -n '1s/[^[]*\[\([^]]*\)\]/\1 /gp' | tr -d '|' | tr ' ' '\n' |
			grep -x -e '[a-z]*' -e '--[a-z]*')" -- "$word"))
		;;
	esac
}
complete -o filenames -F _lbctl lbctl
