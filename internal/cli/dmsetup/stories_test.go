package dmsetup

// stories are told by both programs. ram0 to ram3 are 1:0 to 1:3, of 16384
// sectors each; there is no udev unless a story makes its control socket.
func stories() []story {
	const (
		create = "dmsetup create "
		lin    = " --table '0 64 linear 1:0 0'"
	)
	return []story{
		{"nothing there", []string{
			"dmsetup info", "dmsetup info -c", "dmsetup ls", "dmsetup ls --tree", "dmsetup table", "dmsetup status", "dmsetup deps",
			"dmsetup table --concise", "dmsetup ls --target linear", "dmsetup mknodes", "dmsetup mangle", "dmsetup remove_all",
			"dmsetup remove_all --force", "dmsetup version", "dmsetup info --noheadings -c -o name", "dmsetup measure",
		}},
		{"no such device", []string{
			"dmsetup info x", "dmsetup info -c x", "dmsetup table x", "dmsetup status x", "dmsetup deps x", "dmsetup remove x",
			"dmsetup suspend x", "dmsetup resume x", "dmsetup clear x", "dmsetup wipe_table x", "dmsetup remove -f x", "dmsetup rename x y",
			"dmsetup rename x --setuuid U", "dmsetup message x 0 hello", "dmsetup wait x", "dmsetup mknodes x", "dmsetup mangle x",
			"dmsetup load x --table '0 8 error'", "dmsetup setgeometry x 1 1 1 0", "dmsetup measure x",
			"dmsetup info -u U", "dmsetup table -u U", "dmsetup info -j MAJ -m 77", "dmsetup table -j MAJ -m 77", "dmsetup remove -u U",
			"dmsetup remove -j MAJ -m 0", "dmsetup suspend -u U", "dmsetup remove a b c", "dmsetup info a b", "dmsetup table a b",
			"dmsetup rename -u U y", "dmsetup rename -j MAJ -m 0 y", "dmsetup info ''", "dmsetup table ''", "dmsetup remove ''",
			"dmsetup remove --retry x", "dmsetup remove --deferred x", "dmsetup status -v x", "dmsetup ls --target linear x",
		}},
		{"no device named", []string{
			"dmsetup remove", "dmsetup suspend", "dmsetup resume", "dmsetup clear", "dmsetup wipe_table", "dmsetup load", "dmsetup create",
			"dmsetup wait", "dmsetup rename", "dmsetup rename x", "dmsetup message x", "dmsetup setgeometry x 1", "dmsetup target-version",
			"dmsetup udevflags", "dmsetup splitname", "dmsetup load -u U a b", "dmsetup remove -f", "dmsetup message",
		}},
		{"life", []string{
			create + "a" + lin, "dmsetup info a", "dmsetup info", "dmsetup table a", "dmsetup table", "dmsetup status a", "dmsetup status",
			"dmsetup deps a", "dmsetup deps", "dmsetup ls", "dmsetup suspend a", "dmsetup info a", "dmsetup info -c", "dmsetup resume a",
			"dmsetup load a --table '0 128 linear 1:1 0'", "dmsetup info a", "dmsetup table a", "dmsetup table --inactive a", "dmsetup deps --inactive a",
			"dmsetup resume a", "dmsetup table a", "dmsetup reload a --table '0 32 error'", "dmsetup clear a", "dmsetup info -c a",
			"dmsetup rename a b", "dmsetup info b", "dmsetup rename b --setuuid UU", "dmsetup info -u UU", "dmsetup table -u UU",
			"dmsetup rename b --setuuid VV", "dmsetup measure b", "dmsetup measure", "dmsetup wipe_table b", "dmsetup table b", "dmsetup remove b", "dmsetup ls",
		}},
		{"verbose", []string{
			create + "a -v" + lin, "dmsetup load -v a --table '0 8 error'", "dmsetup suspend -v a", "dmsetup resume -v a", "dmsetup clear -v a",
			"dmsetup info -v a", "dmsetup table -v a", "dmsetup table -v", "dmsetup status -v a", create + "b -v" + lin,
			"dmsetup status -v", "dmsetup deps -v a", "dmsetup deps -v", "dmsetup ls -v", "dmsetup ls -v --target linear",
			"dmsetup wipe_table -v a", "dmsetup remove -v a", "dmsetup table -v -c", "dmsetup table --concise -v", "dmsetup wait -v b 7",
		}},
		{"tables from files and stdin", []string{
			"file /tmp/t1 '0 8 linear 1:0 0\\n8 8 linear 1:1 0\\n'", create + "a /tmp/t1", "dmsetup table a",
			"file /tmp/t2 '# comment\\n\\n  0 16 error  # more\\n'", "dmsetup load a /tmp/t2", "dmsetup table --inactive a", "dmsetup resume a",
			create + "b < 0 8 zero\\n8 8 error\\n", "dmsetup table b", create + "c < ", "dmsetup info c", "dmsetup table c",
			create + "d /tmp/none", create + "e --table 'x'", create + "f --table '0 8'", "file /tmp/t3 '0 8 error\\n0 x error\\n'",
			create + "g /tmp/t3", create + "h < 0 8 error\\nfoo\\n", create + "i --table '0 8 averyveryverylongname x'",
			create + "j --table '0 8 nosuch'", create + "k --table '0 0 error'", create + "l --table '1 8 error'",
			create + "m --table '0 8 linear 1:0'", create + "n --table '0 8 linear 9:99 0'", create + "o --table '0 99999999 linear 1:0 0'",
			"dmsetup load c < ", "dmsetup load c --table ''", "dmsetup info",
		}},
		{"many targets", []string{
			"targets /tmp/many 1500", create + "many /tmp/many", "dmsetup table many", "dmsetup status many", "dmsetup info many", "dmsetup deps many", "dmsetup table --concise", "dmsetup wipe_table many", "dmsetup table many", "dmsetup load many /tmp/many", "dmsetup table --inactive many",
		}},
		{"created wrongly", []string{
			create + "a" + lin, create + "a" + lin, create + "b -u U" + lin, create + "c -u U" + lin, create + "''" + lin, create + "a/b" + lin,
			create + "control" + lin, create + ".." + lin, create + "d -j MAJ -m 0" + lin, create + "d -n -j 0 -m 5", create + "d -j MAJ -m -1" + lin,
			create + "e -j MAJ -m 9" + lin, "dmsetup info e", create + "f --notable --table '0 8 error'", create + "g --mode 9" + lin,
			create + "h -n x", create + "i a b", create + "j -r" + lin, "dmsetup info j", "dmsetup load a -n",
			create + "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" + lin,
			"dmsetup ls",
		}},
		{"without a table", []string{
			create + "a --notable", "dmsetup info a", "dmsetup info -c", "dmsetup info -c -o name,blkdevname", "dmsetup info -c -o name,read_ahead", "dmsetup table a", "dmsetup status a",
			"dmsetup table", "dmsetup status", "dmsetup deps a", "dmsetup table --concise", "dmsetup wipe_table a", "dmsetup suspend a",
			"dmsetup resume a", "dmsetup message a 0 @stats_list", "dmsetup ls --tree", "dmsetup ls --tree -o blkdevname", "dmsetup ls -o blkdevname", "dmsetup ls -o devname",
			"dmsetup table --target linear", "dmsetup ls --target linear", "dmsetup load a --table '0 8 error'", "dmsetup info a",
			"dmsetup resume a", "dmsetup info a", create + "b -u X", "dmsetup remove a b",
		}},
		{"nodes without udev", []string{
			"DM_DISABLE_UDEV=1 " + create + "a" + lin, "DM_DISABLE_UDEV=1 " + create + "b -U 7 -G 8 -M 0640" + lin,
			"DM_DISABLE_UDEV=1 " + create + "c --addnodeoncreate" + lin, "DM_DISABLE_UDEV=1 " + create + "d --addnodeonresume" + lin,
			"DM_DISABLE_UDEV=1 " + create + "e --notable --addnodeoncreate", "DM_DISABLE_UDEV=1 " + create + "f --notable",
			"DM_DISABLE_UDEV=1 dmsetup rename a z", "DM_DISABLE_UDEV=1 dmsetup remove b", "DM_DISABLE_UDEV=1 dmsetup suspend c",
			"DM_DISABLE_UDEV=1 dmsetup resume c", "DM_DISABLE_UDEV=1 dmsetup load f --table '0 8 error'", "DM_DISABLE_UDEV=1 dmsetup resume f",
			"dmsetup table /dev/mapper/z", "dmsetup info mapper/z", "dmsetup info /dev/dm-0", "dmsetup info dev/none", "dmsetup info /dev/none", "dmsetup info /dev/ram0",
			"DM_DISABLE_UDEV=1 dmsetup wipe_table z", "DM_DISABLE_UDEV=1 dmsetup remove_all",
		}},
		{"nodes verified", []string{
			create + "a --verifyudev" + lin, create + "b --verifyudev -U 7 -M 644" + lin, "dmsetup rename --verifyudev a z",
			"dmsetup remove --verifyudev b", create + "c --noudevrules" + lin, create + "d --noudevsync" + lin, create + "e --noudevrules --verifyudev" + lin,
			"dmsetup remove z c d e",
		}},
		{"commands run", []string{
			create + "a" + lin, create + "b --table '0 8 zero'", "dmsetup ls --exec '/sbin/dmsetup splitname --noheadings'", "dmsetup table --exec '/sbin/dmsetup splitname --noheadings' a", "dmsetup status --target zero --exec '/sbin/dmsetup splitname --noheadings'",
			"dmsetup ls --target linear --exec '/sbin/dmsetup splitname --noheadings'", "dmsetup ls --exec /none/such", "dmsetup ls --exec ' '", "dmsetup ls --exec '/sbin/dmsetup nonsense'",
		}},
		{"mknodes", []string{
			create + "a" + lin, create + "b" + lin, "dmsetup mknodes a", "dmsetup mknodes", "dmsetup remove a", "dmsetup mknodes", "dmsetup mknodes c",
			"file /dev/mapper/stray x", "dmsetup mknodes", create + "d" + lin, "dmsetup mknodes d b",
		}},
		{"another folder of nodes", []string{
			"DM_DEV_DIR=/tmp/dev " + create + "a" + lin, "DM_DEV_DIR=/tmp/dev dmsetup info /tmp/dev/mapper/a", "DM_DEV_DIR=/tmp/dev dmsetup remove a", "DM_DEV_DIR=dev dmsetup ls",
			"rm /tmp/dev",
		}},
		{"read ahead", []string{
			create + "a --readahead 100" + lin, "dmsetup info a", create + "b --readahead +5000" + lin, "dmsetup info b", create + "c --readahead +10" + lin, "dmsetup info c",
			create + "d --readahead none" + lin, "dmsetup info d", create + "e --readahead auto" + lin, "dmsetup info e", create + "f --readahead 33" + lin, "dmsetup info f",
			"dmsetup resume --readahead 64 f", "dmsetup info -c -o name,read_ahead", create + "g --readahead x" + lin, create + "h --readahead -7" + lin, create + "i --readahead -1" + lin,
		}},
		{"stack", []string{
			create + "base --table '0 1024 linear 1:0 0'", create + "mid1 --table '0 512 linear MAJ:0 0'", create + "mid2 --table '0 512 linear MAJ:0 512'",
			create + "top --table '0 1024 striped 2 8 MAJ:1 0 MAJ:2 0'", create + "lone --table '0 8 zero'",
			"dmsetup ls --tree", "dmsetup ls --tree -o ascii", "dmsetup ls --tree -o utf", "dmsetup ls --tree -o vt100", "dmsetup ls --tree -o compact",
			"dmsetup ls --tree -o compact,ascii,nodevice", "dmsetup ls --tree -o inverted", "dmsetup ls --tree -o inverted,compact", "dmsetup ls --tree -o nodevice",
			"dmsetup ls --tree -o blkdevname", "dmsetup ls --tree -o nodevice,blkdevname", "dmsetup ls --tree -o active,open,rw,uuid", "dmsetup ls --tree -o active,compact",
			"dmsetup ls --tree -o table", "dmsetup ls --tree -o status,compact", "dmsetup ls --tree -o notrunc,uuid", "dmsetup ls --tree -o nod,inv", "dmsetup ls --tree -o bad",
			"LC_ALL=C dmsetup ls --tree", "LC_ALL=C.UTF-8 dmsetup ls --tree -o ascii,inverted,active",
			"dmsetup deps", "dmsetup deps top", "dmsetup deps -o blkdevname top", "dmsetup deps -o devname top", "dmsetup deps -o devno top", "dmsetup deps -o nonsense top",
			"dmsetup deps -o devname", "dmsetup ls -o blkdevname", "dmsetup ls -o devname", "dmsetup ls -o devno", "dmsetup ls -o bl", "dmsetup ls -o bad",
			"dmsetup info -c", "dmsetup info -c -o name,devs_used,names_using_dev,device_ref_count,devnos_using_dev",
			"dmsetup info -c -o name,devnos_used,blkdevs_used,device_count", "dmsetup info -c -o deps_all,tree_all", "dmsetup info -c -o +blkdevname",
			"dmsetup remove base", "dmsetup remove_all", "dmsetup ls",
		}},
		{"tree cut off", []string{
			create + "a-name-that-is-long-enough-to-be-seen-to-be-cut-off-when-it-is-drawn-in-a-tree-of-80 -u a-uuid-of-some-length" + lin,
			create + "b-name-that-is-long-enough-to-be-seen-to-be-cut-off-when-it-is-drawn --table '0 8 linear MAJ:0 0'",
			"dmsetup ls --tree", "dmsetup ls --tree -o uuid", "dmsetup ls --tree -o notrunc", "dmsetup ls --tree -o compact", "dmsetup ls --tree -o utf",
			"dmsetup ls --tree -o utf,inverted,uuid,active,open,rw", "dmsetup ls --tree -o vt100",
		}},
		{"reports", []string{
			create + "a -u LVM-abc" + lin, create + "vg-lv-layer -u LVM-def" + lin, create + "v--g-l--v -u LVM-ghi" + lin, create + "x -r" + lin, "dmsetup suspend x",
			"dmsetup info -c", "dmsetup info -C", "dmsetup info --columns -o name,uuid", "dmsetup info -c --noheadings", "dmsetup info -c --noheadings --separator +",
			"dmsetup info -c --separator ,", "dmsetup info -c --nameprefixes", "dmsetup info -c --nameprefixes --unquoted", "dmsetup info -c --nameprefixes --rows",
			"dmsetup info -c --rows", "dmsetup info -c --unbuffered", "dmsetup info -c --sort name", "dmsetup info -c -O -name", "dmsetup info -c -O -major,+minor,-open",
			"dmsetup info -c -o info_all", "dmsetup info -c -o name_all",
			"dmsetup info -c -o splitname_all", "dmsetup info -c -o vg_name,lv_name,lv_layer,subsystem", "dmsetup info -c -o attr,tables_loaded,suspended,readonly,devno",
			"dmsetup info -c -o mangled_name,unmangled_name,mangled_uuid,unmangled_uuid", "dmsetup info -c a x", "dmsetup info -c -o open,segments,events a",
			"dmsetup info -c --count 2 --interval 1 a", "dmsetup info --count 2 a", "dmsetup ls --count 2", "dmsetup status --count 2 a", "dmsetup info -c -o name,selected", "dmsetup table -c", "dmsetup status -c --sort name",
			"devmap_name MAJ 0", "devmap_name MAJ:1", "devmap_name MAJ", "devmap_name MAJ 77", "devmap_name",
		}},
		{"columns of all kinds", []string{
			create + "a -u LVM-abc" + lin, create + "b --table '0 8 linear MAJ:0 0'", "dmsetup info -c -o all", "dmsetup info -c -o all a", "dmsetup info -c -o name -O bogus", "dmsetup info -c -o bogus",
			"dmsetup info -c -o help", "dmsetup info -c -o '?'", "dmsetup info -c -S help", "dmsetup info -c -S 'bogus=1'", "dmsetup help -c", "dmsetup splitname -o help x", "dmsetup info -c -o stats_all", "dmsetup info -c -o region_all", "dmsetup info -c -O help",
			"dmsetup info -c -o name,region_id", "dmsetup info -c -S 'region_id=0'", "dmsetup -h -c", "dmstats -h", "dmstats help -c", "dmsetup stats", "dmstats", "dmsetup stats bogus",
		}},
		{"selections", []string{
			create + "a -u LVM-abc" + lin, create + "b" + lin, create + "c --table '0 8 error'", "dmsetup suspend b",
			"dmsetup info -c -S name=a", "dmsetup info -c -S 'name=~[ab]'", "dmsetup info -c -S 'suspended=Suspended'", "dmsetup info -c -S 'minor>=1 && minor<2'",
			"dmsetup info -c -S 'uuid=~LVM || name=c'", "dmsetup info -c -S '!(name=a)'", "dmsetup info -S name=a",
			"dmsetup info -c -S 'name='", "dmsetup table -S name=a", "dmsetup status -S 'name!=a'", "dmsetup deps -S minor=0", "dmsetup status -S name=none",
			"dmsetup suspend -S name=c", "dmsetup resume -S 'suspended=Suspended'", "dmsetup wipe_table -S name=b", "dmsetup clear -S name=b", "dmsetup table -S 'name=~.'", "dmsetup table -S name=a --sort name",
			"dmsetup remove -S 'name=~[bc]'", "dmsetup ls", "dmsetup remove -S all", "dmsetup ls", "dmsetup rename -S name=a x y", "dmsetup measure -S name=a",
		}},
		{"concise", []string{
			"dmsetup create --concise 'a,,,,0 8 zero'", "dmsetup create --concise 'b,UUID-b,5,ro,0 8 linear 1:0 0,8 8 error;c,,,rw,0 8 zero'",
			"dmsetup create --concise < d,,,,0 8 zero;e,,, ,0 8 error", "dmsetup create --concise 'f'", "dmsetup create --concise 'f,,,xx,0 8 error'",
			"dmsetup create --concise 'h\\,i,,,,0 8 zero'", "dmsetup create --concise 'a b'  x", "dmsetup create --concise --table x", "dmsetup create --concise -u U 'k,,,,0 8 zero'",
			"dmsetup create --concise 'l,,,,0 8 zero\\'", "dmsetup create --concise 'm,,7,,0 8 zero; n,,8,,0 8 zero;'", "dmsetup create --concise 'o,,5,,0 8 zero'", "dmsetup create --concise 'p,,abc,,0 8 zero'",
			"dmsetup create --concise -r 'q,,,,0 8 zero'", "dmsetup create --concise '' ", "dmsetup create --concise 'r,,,,0 8 error;r,,,,0 8 zero;s,,,,0 8 zero'", "dmsetup create --concise 'u,,,,0 8 nosuch'",
			"dmsetup table --concise", "dmsetup table --concise b", "dmsetup table --concise a b", "dmsetup table --concise --target zero", "dmsetup table --concise -v b", "dmsetup status --concise b",
			"dmsetup info -c",
		}},
		{"mangling", []string{
			create + "'a b'" + lin, "dmsetup info 'a b'", "dmsetup info 'a\\x20b'", "dmsetup ls", "dmsetup info -c -o name,mangled_name,unmangled_name", "dmsetup table 'a b'", "dmsetup ls --manglename none", "dmsetup ls --manglename hex",
			"dmsetup info --manglename none 'a\\x20b'", "dmsetup info --manglename hex 'a\\x20b'", create + "'c\\x20d e'" + lin, create + "--manglename hex 'c\\x20d'" + lin, "dmsetup ls", "dmsetup ls --manglename hex", "dmsetup ls --manglename none",
			create + "--manglename none 'f g'" + lin, "dmsetup ls", "dmsetup ls --manglename none", "dmsetup info", "dmsetup mangle", "dmsetup mangle --manglename none", "dmsetup ls --manglename none", "dmsetup mangle --manglename auto", "dmsetup mangle --manglename hex", "dmsetup ls --manglename none",
		}},
		{"mangled names", []string{
			create + "'x/y'" + lin, create + "'é' -u 'u é'" + lin, "dmsetup info", "dmsetup info -c -o name,uuid,mangled_uuid,unmangled_uuid", "dmsetup rename 'é' 'new name'", "dmsetup ls", "dmsetup rename 'new name' 'a/b'",
			"dmsetup rename 'new name' ''", "dmsetup rename 'new name' 'bad\\x20 name'", "dmsetup rename 'new name' 'x\\x5cx20'", create + "'y\\x5cx20'" + lin,
			"DM_DEFAULT_NAME_MANGLING_MODE=none dmsetup ls", "DM_DEFAULT_NAME_MANGLING_MODE=hex dmsetup ls", "DM_DEFAULT_NAME_MANGLING_MODE=bogus dmsetup ls", "dmsetup ls --manglename bogus",
			create + "'a,b;c\\'" + lin, "dmsetup table --concise", "dmsetup remove 'new name'", "dmsetup ls", create + "'" + fifty + fifty + "!!!!!!!!!!'" + lin,
			create + "u -u '" + fifty + fifty + "!!!!!!!!!!'" + lin, "DM_DISABLE_UDEV=1 " + create + "'n n'" + lin, "DM_DISABLE_UDEV=1 dmsetup rename 'n n' 'm m'", "DM_DISABLE_UDEV=1 dmsetup remove 'm m'",
			create + "--manglename none 'raw name'" + lin, "dmsetup mangle 'raw name'", "dmsetup ls", "dmsetup mangle", "dmsetup info -c -o name,mangled_name",
		}},
		{"keys", []string{
			create + "c --table '0 64 crypt aes-xts-plain64 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff 0 1:0 0'", "dmsetup table c", "dmsetup table --showkeys c", "dmsetup table", "dmsetup table --concise", "dmsetup table --concise --showkeys",
			"dmsetup status c", "dmsetup info c", create + "d --table '0 64 crypt aes-xts-plain64 zz 0 1:1 0'", "dmsetup message c 0 key wipe", "dmsetup suspend c", "dmsetup message c 0 key wipe", "dmsetup table --showkeys c", "dmsetup resume c",
			"dmsetup message c 0 key set 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "dmsetup resume c", "dmsetup table --showkeys c",
		}},
		{"messages", []string{
			create + "a" + lin, "dmsetup message a 0 hello", "dmsetup message a x hello", "dmsetup message a 0", "dmsetup message a -1 hello", "dmsetup message a 99 hello", "dmsetup message a 0 @stats_create - /1", "dmsetup message a 0 @stats_list",
			"dmsetup message a 0 @stats_print 0", "dmsetup message a 0 @stats_delete 0", "dmsetup message a 0 ''", "dmsetup message a 99999999999999999999999 x", "dmsetup message -u U 0 x", "dmsetup message -j MAJ -m 0 0 @stats_list", "dmsetup message a 0 @stats_set_aux 0 a b",
			"dmsetup message a 0 @cancel_deferred_remove", create + "f --table '0 64 flakey 1:0 0 1 1'", "dmsetup message f 0 x y", "dmsetup table f", "dmsetup status f",
		}},
		{"busy", []string{
			create + "a" + lin, "hold /dev/dm-0", "dmsetup remove a", "dmsetup info a", "dmsetup remove -f a", "dmsetup table a", "dmsetup remove --deferred a", "dmsetup info a", "dmsetup remove_all", "dmsetup remove_all --force",
			"dmsetup info a", "release", "dmsetup ls", create + "b -j MAJ -m 20" + lin, create + "c -j MAJ -m 21 --table '0 8 linear MAJ:20 0'", "dmsetup remove b", "dmsetup remove --deferred b", "dmsetup info b", "dmsetup message b 0 @cancel_deferred_remove", "dmsetup info b", "dmsetup rename c b", "dmsetup remove b c", "dmsetup remove c b", "dmsetup remove_all --deferred",
		}},
		{"suspended", []string{
			create + "a" + lin, create + "b --table '0 8 linear MAJ:0 0'", "dmsetup suspend a", "dmsetup suspend a", "dmsetup suspend --checks b", "dmsetup info", "dmsetup resume b", "dmsetup resume a", "dmsetup suspend --noflush --nolockfs a", "dmsetup resume --noflush --nolockfs a", "dmsetup suspend a b", "dmsetup resume a b", "dmsetup suspend --checks b", "dmsetup resume b", "dmsetup resume b",
			"dmsetup load a --table '0 128 linear 1:1 0'", "dmsetup suspend a", "dmsetup resume a", "dmsetup table a", "dmsetup load a b --table '0 8 error'", "dmsetup load nope --table '0 8 error'", "dmsetup load a --table '0 8 linear 1:0'", "dmsetup load a -r --table '0 8 linear 1:0 0'", "dmsetup resume a", "dmsetup info a", "dmsetup load a --inactive --noopencount --checks --table '0 8 error'",
		}},
		{"wiped", []string{
			create + "a" + lin, create + "b --table '0 8 zero\n8 8 error'", "dmsetup wipe_table a b", "dmsetup table", "dmsetup wipe_table -f a", "dmsetup wipe_table --noflush --nolockfs b", "dmsetup wipe_table none a", "dmsetup wipe_table ''", "dmsetup suspend a", "dmsetup wipe_table a", "dmsetup info a", "dmsetup remove -f a b", "dmsetup ls", create + "c -u U" + lin, "dmsetup wipe_table -u U", "dmsetup wipe_table -j MAJ -m 0", "dmsetup remove -f -u U", "dmsetup ls", "dmsetup remove_all -f",
			create + "d" + lin, create + "e --table '0 8 linear MAJ:0 0'", "dmsetup remove_all -f", "dmsetup ls",
		}},
		{"by number and uuid", []string{
			create + "a -u UA" + lin, create + "b -u UB -j MAJ -m 40" + lin, "dmsetup info -j MAJ -m 40", "dmsetup info -u UA", "dmsetup table -j MAJ -m 40", "dmsetup status -u UB", "dmsetup deps -u UA", "dmsetup suspend -u UA", "dmsetup resume -j MAJ -m 0", "dmsetup load -u UA --table '0 8 error'", "dmsetup load -j MAJ -m 40 --table '0 8 error'", "dmsetup clear -u UA", "dmsetup resume -u UB", "dmsetup info -c -u UA", "dmsetup info -c -j MAJ -m 40", "dmsetup message -u UA 0 @stats_list", "dmsetup setgeometry -u UB 1 2 3 0", "dmsetup wait -u UA 5", "dmsetup load -u UA x", "dmsetup table --concise -u UA",
			"dmsetup table -v -u UA", "dmsetup info -u UA b", "dmsetup remove -u UA", "dmsetup remove -j MAJ -m 40", "dmsetup ls", "dmsetup info -j MAJabc -m 4x", "dmsetup info -j x -m 0", "dmsetup info -m 1", "dmsetup info -j MAJ -m -1", "dmsetup remove -j MAJ -m -1", "dmsetup info -u ''",
		}},
		{"geometry", []string{
			create + "a" + lin, "dmsetup setgeometry a 1 2 3 0", "dmsetup setgeometry a 70000 2 3 0", "dmsetup setgeometry a x 2 3 0", "dmsetup setgeometry a 1 2 3 99999", "dmsetup setgeometry a 1 2 3 -1", "dmsetup setgeometry a 1 256 3 0", create + "b -n", "dmsetup setgeometry b 1 2 3 0",
		}},
		{"targets", []string{
			"dmsetup targets", "dmsetup target-version linear", "dmsetup target-version linear striped", "dmsetup target-version nosuch", "dmsetup target-version linear nosuch error", "dmsetup target-version averyveryverylongname", "dmsetup target-version ''", "dmsetup version", "dmsetup --version", "dmsetup -v --version",
		}},
		{"only some targets", []string{
			create + "a --table '0 8 zero\n8 8 error\n16 8 zero'", create + "b" + lin, "dmsetup table --target zero", "dmsetup table --target zero a", "dmsetup table --target linear a", "dmsetup status --target error", "dmsetup ls --target zero", "dmsetup ls --target linear", "dmsetup ls --target none", "dmsetup ls --target zero -v", "dmsetup table -v --target zero", "dmsetup table --target zero -v a", "dmsetup info --target zero", "dmsetup status --target error a b", "dmsetup table --target zero --concise", "dmsetup ls --tree --target zero",
		}},
		{"events waited for", []string{
			create + "a" + lin, "dmsetup wait a 3", "dmsetup wait a 1x", "dmsetup wait --noflush a 1", "dmsetup wait -v a 9", "dmsetup wait a b c", "dmsetup wait a -- -3",
		}},
		{"cookies without udev", []string{
			"dmsetup udevcookies", "dmsetup udevcreatecookie", "dmsetup udevreleasecookie", "dmsetup udevreleasecookie 0xd4d1234", "dmsetup udevreleasecookie zzz", "dmsetup udevcomplete 0xd4d1234", "dmsetup udevcomplete 0", "dmsetup udevcomplete 4294967296", "dmsetup udevcomplete 0x12340000",
			"dmsetup udevflags 0x00410000", "dmsetup udevflags 0xffffffff", "dmsetup udevflags 017", "dmsetup udevflags 12x", "dmsetup udevcomplete_all -y", "dmsetup udevcomplete_all x", "dmsetup udevcomplete_all < n", "dmsetup udevcomplete_all 5 < q\\ny\\n", "dmsetup udevcomplete_all 0 < y", "dmsetup udevcomplete_all < ", "dmsetup udevcomplete_all -y 10m",
			"DM_UDEV_COOKIE=0xd4d4321 " + create + "a" + lin, "dmsetup remove a --udevcookie 0xd4d9999", "dmsetup ls --udevcookie x",
		}},
		{"cookies with udev", []string{
			"mkdir /run/udev", "file /run/udev/control x", "dmsetup udevreleasecookie 0xd4d1234", "dmsetup udevcomplete 0xd4d1234", "dmsetup udevcomplete 0x410000", "dmsetup udevreleasecookie 0x1234", "dmsetup udevcookies", "dmsetup udevcomplete_all -y",
			create + "a --noudevsync" + lin, create + "b --udevcookie 0xd4d5555" + lin, "dmsetup remove a --udevcookie 0xd4d5555", "DM_UDEV_COOKIE=77 dmsetup remove a", "dmsetup remove --noudevsync a", create + "c --notable", "DM_DISABLE_UDEV=1 dmsetup ls",
		}},
		{"udev's answers", []string{
			"mkdir /run/udev", "file /run/udev/control x", create + "a -n", "dmsetup suspend a", "dmsetup load a --table '0 8 zero'", "dmsetup rename x y", "dmsetup resume x", "dmsetup remove x",
			create + "b --table '0 8 nosuch'", create + "c --table '0 8 linear 9:99 0'", "dmsetup udevcookies", "dmsetup ls",
		}},
		{"words and options mixed", []string{
			create + "a" + lin, "dmsetup a info", "dmsetup table a --showkeys", "dmsetup -c info", "dmsetup info -- a", "dmsetup -- info a", "dmsetup table -- -v", "dmsetup info --nohead -c", "dmsetup info --no a", "dmsetup info --col", "dmsetup info --c", "dmsetup -vinfo a", "dmsetup info -ca", "dmsetup info -co name", "dmsetup info -coname", "dmsetup info -c -o", "dmsetup info --verbose", "dmsetup info --verbose 1 a", "dmsetup info --force=1", "dmsetup info -Z", "dmsetup --help -Z", "dmsetup info --bogus", "dmsetup nonsense", "dmsetup", "dmsetup info --checks --inactive --noopencount a", "dmsetup status --noflush a", "dmsetup info --count -1", "dmsetup info --interval 0", "dmsetup info -c --units z", "dmsetup info --units k a", "dmsetup info -y -f a", "dmsetup info a a", "dmsetup table a a",
			"dmsetup table a none a", "dmsetup status a none", "dmsetup help", "dmsetup help x", "dmsetup splitname a-b", "dmsetup splitname a-b NOT", "dmsetup splitname a-b LVM -o all", "dmsetup splitname a--b-c-d-e", "dmsetup splitname -c --nameprefixes --noheadings --rows a-b", "dmsetup splitname a-b c d",
		}},
		{"snapshots", []string{
			create + "origin --table '0 1024 snapshot-origin 1:0'", create + "snap --table '0 1024 snapshot 1:0 1:1 N 8'", "dmsetup status", "dmsetup table", "dmsetup deps", "dmsetup ls --tree", "dmsetup info -c -o name,devnos_used,segments", "dmsetup remove origin snap",
		}},
		{"mirrors", []string{
			create + "m --table '0 1024 mirror core 2 64 nosync 2 1:0 0 1:1 0'", "dmsetup status m", "dmsetup table m", "dmsetup deps m", "dmsetup ls --tree", "dmsetup table --concise", "dmsetup remove m",
		}},
		{"thin", []string{
			create + "pool --table '0 8192 thin-pool 1:2 1:3 128 0'", "dmsetup status pool", "dmsetup table pool", "dmsetup message pool 0 create_thin 0", "dmsetup message pool 0 create_thin 0", "dmsetup message pool 0 bogus", create + "t --table '0 1024 thin MAJ:0 0'", "dmsetup status", "dmsetup table", "dmsetup deps", "dmsetup ls --tree", "dmsetup status --noflush pool", "dmsetup remove pool", "dmsetup remove t pool",
		}},
	}
}

// fifty is a part of long names.
const fifty = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx"
