# mdkit: bash completion for dlm_tool.
_dlm_tool() {
	local cur prev
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	case $prev in
	-e | -f)
		COMPREPLY=($(compgen -W '0 1' -- "$cur"))
		return
		;;
	ls | plocks | join | leave | joinleave | lockdebug | lockdump | deadlock_check)
		COMPREPLY=($(compgen -W "$(ls /sys/kernel/dlm 2>/dev/null)" -- "$cur"))
		return
		;;
	esac
	case $cur in
	-*)
		COMPREPLY=($(compgen -W '-M -h -V -n -m -e -f -v -w -s -i --json' -- "$cur"))
		;;
	*)
		COMPREPLY=($(compgen -W 'ls status dump dump_config reload_config set_config fence_ack deadlock_check log_plock
			plocks join leave joinleave lockdebug lockdump run run_start run_check run_cancel run_list' -- "$cur"))
		;;
	esac
} && complete -F _dlm_tool dlm_tool
