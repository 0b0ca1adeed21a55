# mdkit: bash completion for mdadm.
_mdadm() {
	local cur prev
	cur=${COMP_WORDS[COMP_CWORD]}
	prev=${COMP_WORDS[COMP_CWORD - 1]}
	case $prev in
	-l | --level)
		COMPREPLY=($(compgen -W 'linear raid0 raid1 raid4 raid5 raid6 raid10 multipath faulty container' -- "$cur"))
		return
		;;
	-e | --metadata)
		COMPREPLY=($(compgen -W '0.90 1 1.0 1.1 1.2 default ddf imsm' -- "$cur"))
		return
		;;
	-U | --update)
		COMPREPLY=($(compgen -W 'sparc2.2 super-minor summaries resync uuid name homehost home-cluster nodes byteorder
			devicesize bitmap no-bitmap bbl no-bbl force-no-bbl ppl no-ppl metadata revert-reshape
			layout-original layout-alternate layout-unspecified' -- "$cur"))
		return
		;;
	-b | --bitmap)
		COMPREPLY=($(compgen -W 'internal none clustered' -- "$cur"))
		return
		;;
	-k | --consistency-policy)
		COMPREPLY=($(compgen -W 'resync bitmap journal ppl' -- "$cur"))
		return
		;;
	--action)
		COMPREPLY=($(compgen -W 'idle frozen check repair' -- "$cur"))
		return
		;;
	-p | --layout | --parity)
		COMPREPLY=($(compgen -W 'left-asymmetric right-asymmetric left-symmetric right-symmetric parity-first parity-last
			ddf-zero-restart ddf-N-restart ddf-N-continue n2 f2 o2 original alternate' -- "$cur"))
		return
		;;
	-c | --config | --backup-file | --dump | --restore | -i | --pid-file | -p | --program | --alert | \
		--backup-metadata | --restore-metadata | --udev-rules)
		COMPREPLY=($(compgen -f -- "$cur"))
		return
		;;
	esac
	case $cur in
	-*)
		COMPREPLY=($(compgen -W '--manage --misc --assemble --build --create --detail --examine --follow --grow
			--incremental --zero-superblock --query --examine-bitmap --auto-detect --detail-platform --kill-subarray
			--update-subarray --udev-rules --offroot --examine-badblocks --dump --restore --monitor --help
			--help-options --version --verbose --quiet --chunk --rounding --level --parity --layout --raid-disks
			--raid-devices --spare-disks --spare-devices --size --auto --assume-clean --metadata --bitmap
			--bitmap-chunk --write-behind --write-mostly --failfast --nofailfast --re-add --homehost --symlinks
			--data-offset --nodes --home-cluster --write-journal --consistency-policy --uuid --super-minor --name
			--config --scan --force --update --freeze-reshape --add --add-spare --add-journal --remove --fail
			--set-faulty --replace --with --run --stop --readonly --readwrite --no-degraded --wait --wait-clean
			--action --cluster-confirm --brief --no-devices --export --sparc2.2 --test --prefer --mail --program
			--alert --increment --delay --daemonise --daemonize --oneshot --pid-file --syslog --no-sharing
			--backup-file --invalid-backup --array-size --continue --rebuild-map --path --dry-run --json
			--backup-metadata --restore-metadata' -- "$cur"))
		;;
	*)
		COMPREPLY=($(compgen -W "$(ls -d /dev/md[0-9]* /dev/md/* /dev/[hsv]d[a-z]* /dev/nvme*n* 2>/dev/null) missing failed detached" -- "$cur"))
		;;
	esac
} && complete -o default -F _mdadm mdadm
