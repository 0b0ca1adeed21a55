package mdtext

import "github.com/mdkit/mdkit/manage/note"

// metadataText are mdadm's sentences for the notes of package metadata.
var metadataText = map[note.ID]string{
	"metadata.both-and-seem-suitable-for-please-choose-one":           "Both %s and %s seem suitable for %s.  Please choose one.",
	"metadata.cannot-create-dump-file":                                "Cannot create dump file %s: %s",
	"metadata.cannot-find-metadata":                                   "Cannot find metadata on %s",
	"metadata.cannot-find-raid-metadata":                              "Cannot find RAID metadata on %s",
	"metadata.cannot-find-suitable-file":                              "Cannot find suitable file in %s for %s",
	"metadata.cannot-open-dump-metadata":                              "Cannot open %s to dump metadata: %s",
	"metadata.cannot-open-restore-metadata":                           "Cannot open %s to restore metadata: %s",
	"metadata.could-not-open-for-restore":                             "Could not open %s for --restore.",
	"metadata.could-not-save":                                         "Could not save %s as %s!!",
	"metadata.does-not-exist-cannot-restore-from-there":               "%s does not exist: cannot restore from there.",
	"metadata.dump-requires-existing-directory":                       "--dump requires an existing directory, not: %s",
	"metadata.failed-copy-metadata":                                   "Failed to copy metadata from %s to %s",
	"metadata.no-metadata-found":                                      "No %s metadata found on %s",
	"metadata.not-same-size-as-cannot-restore":                        "%s is not the same size as %s - cannot restore.",
	"metadata.restore-requires-directory-when-multiple-devices-given": "--restore requires a directory when multiple devices given",
}
