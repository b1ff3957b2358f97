# shellcheck shell=bash disable=SC2207
# SPDX-License-Identifier: GPL-2.0-only
# bash completion for server-pm: commands and options as `server-pm help` lists them.
_server_pm() {
	local word=$2 before=$3 command='' i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--pin-dir) i=$((i + 1)) ;;
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	case $before in
	-c | --config) COMPREPLY=($(compgen -f -- "$word")) ;;
	--pin-dir) COMPREPLY=($(compgen -d -- "$word")) ;;
	*)
		if [ -n "$command" ] && [ "$command" != help ]; then
			COMPREPLY=($(compgen -W "$(server-pm help "$command" 2>/dev/null |
				sed -n 's/^  \(-[^ ]*\), \(--[^ ]*\).*/\1 \2/p')" -- "$word"))
		else
			COMPREPLY=($(compgen -W "$(server-pm help 2>/dev/null |
				sed -n '/^Commands:/,/^$/s/^  \([a-z]*\).*/\1/p') --pin-dir --verbose" \
				-- "$word"))
		fi
		;;
	esac
}
complete -o filenames -F _server_pm server-pm
