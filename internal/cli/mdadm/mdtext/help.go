package mdtext

// HelpGeneral is what mdadm says with --help about itself.
const HelpGeneral = `mdadm, as answered by mdkit: make, start, inspect and manage Linux md arrays.

  mdadm --create ARRAY OPTIONS DEVICES    make a new array
  mdadm --assemble ARRAY DEVICES          start an existing array
  mdadm --build ARRAY OPTIONS DEVICES     start an array that has no metadata
  mdadm --manage ARRAY OPTIONS DEVICES    change the members of a running array
  mdadm --misc OPTIONS DEVICES            report on, or act on, single devices
  mdadm ARRAY OPTIONS DEVICES             short for --manage
  mdadm --grow ARRAY OPTIONS              change the shape of a running array
  mdadm --incremental DEVICE              add a device as it appears
  mdadm --monitor OPTIONS ARRAYS          watch arrays, and tell of what happens
  mdadm --auto-detect                     have the kernel start what it finds

Words that do not start with '-' name devices; the first is often the array.
--help behind one of these modes explains it; --help-options lists options
that all of them share.
`

// HelpGrow is what mdadm says with --help about --grow.
const HelpGrow = `mdadm --grow ARRAY OPTIONS [DEVICES]
Changes the shape of a running array; data stays where the changed array has it.
  -n --raid-devices=N   how many members hold data and redundancy
  -z --size=KIB         space used of each member, or max
  -Z --array-size=KIB   what the array shows of itself, until it is started again
  -l --level=LEVEL      another level
  -p --layout=WORD      another layout; -c --chunk=KIB another chunk
  -b --bitmap=WORD      internal or none
  -k --consistency-policy=WORD  ppl or resync
     --backup-file=FILE where data is kept that a reshape in place overwrites
     --continue         see a reshape through that was interrupted
  -a --add              add the devices first
     --dry-run          say what would be done
`

// HelpMonitor is what mdadm says with --help about --monitor.
const HelpMonitor = `mdadm --monitor OPTIONS [ARRAYS]
Watches arrays and tells of events, by mail, program, syslog or on stdout.
  -s --scan             all arrays of mdadm.conf and of the system
  -m --mail=ADDRESS     mail failures; -p --program=PATH run for each event
  -y --syslog           write events to the system's log
  -d --delay=SECONDS    how often to look when nothing calls
  -r --increment=N      report a rebuild at every N percent
  -1 --oneshot          look once; -t --test a message for each array
  -f --daemonise        in the background; -i --pid-file=FILE
     --json             one line of JSON for each event
`

// HelpIncremental is what mdadm says with --help about --incremental.
const HelpIncremental = `mdadm --incremental OPTIONS DEVICE
Adds a device to its array as it appears, and starts the array when it can be.
  -R --run              start it even though members are missing
  -r --rebuild-map      write /run/mdadm/map anew
  -f --fail             the device has gone; --path=ID where it was
  -s --scan             with -R: start all arrays that wait
     --export           say what came of it as udev reads it
`

// HelpOptions is what mdadm says with --help about options of all modes (--help-options).
const HelpOptions = `Options that work everywhere:
  -h --help             general help, or help on the mode before it
     --help-options     this text
  -V --version          the version, on stderr
  -v --verbose          say more; twice for still more
  -q --quiet            leave out what is merely informative
  -b --brief            say less
  -Y --export           --detail, --examine: print KEY=value lines
  -f --force            override checks that protect from mistakes
     --homehost=NAME    the host that arrays belong to
     --dry-run          print the steps, change nothing
     --json             print one JSON document

Modes and single actions:
  -A --assemble    -B --build    -C --create    --manage    --misc
  -D --detail      -E --examine  -Q --query     -X --examine-bitmap
     --examine-badblocks         --zero-superblock
  -S --stop        -R --run      -o --readonly  -w --readwrite
`

// HelpCreate is what mdadm says with --help about --create.
const HelpCreate = `mdadm --create ARRAY --level=L --raid-devices=N [OPTIONS] DEVICES

Makes a new array of the devices and starts it. The word 'missing' stands for
a device that is to be added later. Devices that carry something already are
reported, and nothing is written before you agree.

  -l --level=L               linear 0 1 4 5 6 10 multipath faulty
  -n --raid-devices=N        active devices
  -x --spare-devices=N       spares, listed behind the active devices
  -e --metadata=V            0.90 1.0 1.1 1.2 (1.2)
  -c --chunk=K               chunk size in KiB (512); --rounding for linear
  -p --layout=W              raid0, raid5, raid6, raid10, faulty
  -z --size=K                KiB to use of each device; max
     --data-offset=K         where data starts on each device; variable
  -b --bitmap=internal|none  write-intent bitmap
     --bitmap-chunk=K        data that one bit of it stands for
  -d --delay=S               seconds between updates of the bitmap
     --write-behind=N        writes that may wait for write-mostly devices
  -W --write-mostly          for the devices behind it: avoid reading them
     --failfast             for the devices behind it: do not retry for long
     --write-journal=DEVICE  journal for raid 4 5 6
  -k --consistency-policy=P  resync bitmap journal ppl
  -N --name=NAME  -u --uuid=UUID  --homehost=HOST
     --assume-clean          the devices are in sync already
  -f --force                 take the devices just as listed
  -R --run                   ask nothing, start even if devices are missing
  -o --readonly              start read-only
     --dry-run  --json
`

// HelpBuild is what mdadm says with --help about --build.
const HelpBuild = `mdadm --build ARRAY --level=L --raid-devices=N [OPTIONS] DEVICES

Starts an array of devices that carry no metadata. Nothing is written to them
and nothing can be checked: the right devices in the right order are up to you.

  -l --level=L           linear 0 1 10 multipath faulty
  -n --raid-devices=N    devices
  -c --chunk=K           chunk size in KiB (64)
  -p --layout=W          raid10, faulty
  -z --size=K            KiB to use of each device
  -W --write-mostly      for the devices behind it: avoid reading them
     --assume-clean      the devices are in sync already
     --dry-run  --json
`

// HelpAssemble is what mdadm says with --help about --assemble.
const HelpAssemble = `mdadm --assemble ARRAY [OPTIONS] DEVICES

Starts an array from its members. Devices that do not belong to it are named
and left out.

  -u --uuid=UUID  -N --name=NAME  -m --super-minor=N   which array
  -R --run               start even if members are missing
  -f --force             start even if members are out of date
  -o --readonly          start read-only
  -U --update=WHAT       change the metadata on the way; --update=help
     --dry-run  --json
`

// HelpManage is what mdadm says with --help about --manage.
const HelpManage = `mdadm [--manage] ARRAY OPTIONS DEVICES

Changes the members of a running array. An action holds for the devices behind
it; 'faulty', 'detached' and 'missing' stand for the devices that are.

  -a --add      --re-add    --add-spare    --add-journal
  -r --remove
  -f --fail     --set-faulty
     --replace  --with
  -W --write-mostly  -w --readwrite  --failfast  --nofailfast
  -R --run  -S --stop  -o --readonly
     --dry-run  --json
`

// HelpMisc is what mdadm says with --help about --misc.
const HelpMisc = `mdadm [--misc] ACTION DEVICES

  -Q --query               what is this device to md?
  -D --detail              an array, in full
  -E --examine             a member, in full
  -X --examine-bitmap      a member's write-intent bitmap
     --examine-badblocks   a member's bad block log
     --zero-superblock     remove a member's metadata
  -S --stop                stop an array
  -R --run                 start an array that is partly assembled
  -o --readonly  -w --readwrite
  -t --test                --detail: let the exit code tell the state
     --json
`

// HelpConfig is what mdadm says with --help about its configuration file (--config --help).
const HelpConfig = `The configuration file lists arrays and where to look for their members, one
line each; lines that start with blanks continue the one before, '#' starts a
comment. ARRAY lines name an array and its identity (uuid=, name=,
super-minor=, devices=); DEVICE lines name the devices to search, with
wildcards; HOMEHOST, CREATE, AUTO, POLICY, MAILADDR, MAILFROM and PROGRAM set
defaults.
`
